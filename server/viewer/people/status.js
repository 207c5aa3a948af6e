// @ts-check
/**
 * How the page stands, always on the screen: connected or not, which moment, how far behind, what
 * was left out. A picture that has stopped never looks alive.
 */

import { Redraw } from "../state/redraw.js";
import { element } from "./elements.js";
import {
  connectionLine,
  expectedMs,
  isStale,
  momentLine,
  recordingLines,
  troubleLines,
} from "./standing.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("./standing.js").Line} Line */

const LOOK_EVERY_MS = 500;
const MOST_GAPS_SHOWN = 12;
const SIGNS = { good: "●", warn: "▲", bad: "■" };

/**
 * @param {HTMLElement} root
 * @param {App} app
 * @param {() => number} [clock] milliseconds, as performance.now()
 */
export function createStatus(root, app, clock = () => performance.now()) {
  const connection = element("span", { className: "standing" });
  const moment = element("span", { className: "shown-moment" });
  const trouble = element("button", { className: "trouble", type: "button", hidden: true });
  const details = element("div", { className: "details", popover: "auto", id: "status-details" });
  trouble.setAttribute("popovertarget", details.id);
  const spoken = element("span", { className: "visually-hidden", role: "status" });
  root.append(connection, moment, trouble, details, spoken);

  const look = () => {
    const [now, live, cursor, status] = [clock(), liveRun(app), app.cursor.get(), app.status.get()];
    const line = connectionLine(status, now, expectedMs(live));
    const shown = momentLine(cursor, status, live, now);
    const lines = troublesOf(app);
    write(connection, app.text, line);
    write(moment, app.text, shown);
    writeTrouble(trouble, app.text, lines);
    document.body.dataset.stale = String(isStale(line, shown, cursor));
    // Spoken when it changes in kind, not with each second of a countdown, nor with each frame.
    const told = [line, ...(shown.weight === "good" ? [] : [shown]), ...lines];
    const words = told.map(({ key }) => key).join(" ");
    if (spoken.dataset.of !== words) {
      spoken.dataset.of = words;
      spoken.textContent = told.map((each) => inWords(app.text, each)).join(". ");
    }
  };
  const redraw = new Redraw(look);
  const looked = () => redraw.now();
  const ends = [
    app.status.follow(looked),
    app.cursor.follow(looked),
    app.recording.followFields(["error", "eventsMissing"], looked),
    app.text.follow(look),
  ];
  const timer = setInterval(look, LOOK_EVERY_MS);
  details.addEventListener("beforetoggle", () => fillDetails(details, app));
  return {
    dispose() {
      clearInterval(timer);
      redraw.dispose();
      for (const end of ends) end();
    },
  };
}

/**
 * @param {import("./text.js").Text} text
 * @param {Line} line
 */
function inWords(text, { key, values }) {
  return text.t(key, values);
}

/**
 * @param {HTMLElement} place
 * @param {import("./text.js").Text} text
 * @param {Line} line
 */
function write(place, text, line) {
  const words = `${SIGNS[line.weight]} ${inWords(text, line)}`;
  if (place.textContent !== words) place.textContent = words;
  place.dataset.weight = line.weight;
}

/**
 * @param {HTMLButtonElement} button
 * @param {import("./text.js").Text} text
 * @param {Line[]} lines
 */
function writeTrouble(button, text, lines) {
  button.hidden = lines.length === 0;
  if (!lines.length) return;
  const words = inWords(text, lines[0]);
  write(button, text, lines[0]);
  if (lines.length > 1) button.textContent += ` (+${lines.length - 1})`;
  button.title = words;
}

/**
 * @param {HTMLElement} details
 * @param {App} app
 */
function fillDetails(details, app) {
  const { text, status } = app;
  const { gaps, reason } = status.get();
  const lines = troublesOf(app).map((line) =>
    element("li", { className: line.weight }, inWords(text, line)),
  );
  if (reason !== null) lines.push(element("li", {}, reason));
  const rows = gaps
    .slice(-MOST_GAPS_SHOWN)
    .reverse()
    .map((gap) =>
      element(
        "li",
        {},
        text.t("gapLine", { kind: gap.kind, from: gap.from_t, to: gap.to_t, reason: gap.reason }),
      ),
    );
  details.replaceChildren(
    element("h2", {}, text.t("standing")),
    element("ul", {}, ...lines),
    ...(rows.length ? [element("h2", {}, text.t("gapsTitle")), element("ol", {}, ...rows)] : []),
  );
}

/** @param {App} app */
function liveRun(app) {
  return app.recording.get().runs.find((run) => run.current) ?? null;
}

/** @param {App} app */
function troublesOf({ status, recording, cursor, series }) {
  const { connection } = status.get();
  // While there is no connection, that is why nothing can be read.
  const error = connection === "open" ? recording.get().error : null;
  const known = { ...recording.get(), error };
  return troubleLines(status.get(), recordingLines(known, cursor.get().run, series.metricsMissing));
}
