// @ts-check
/**
 * How the page stands, always on the screen: connected or not, which moment, how far behind, what
 * was left out. A picture that has stopped never looks alive.
 */

import { element } from "./elements.js";
import { connectionLine, isStale, momentLine, troubleLines } from "./standing.js";

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
    const line = connectionLine(app.status.get(), clock(), expectedMs(app));
    const lines = troubleLines(app.status.get());
    write(connection, app.text, line);
    write(moment, app.text, momentLine(app.cursor.get(), app.status.get(), liveRun(app)));
    writeTrouble(trouble, app.text, lines);
    document.body.dataset.stale = String(isStale(line, app.cursor.get()));
    // Spoken when it changes in kind, not with each second of a countdown.
    const words = [line, ...lines].map(({ key }) => key).join(" ");
    if (spoken.dataset.of !== words) {
      spoken.dataset.of = words;
      spoken.textContent = [line, ...lines].map((told) => inWords(app.text, told)).join(". ");
    }
  };
  const looked = throttled(look);
  const ends = [app.status.follow(looked), app.cursor.follow(looked), app.text.follow(look)];
  const timer = setInterval(look, LOOK_EVERY_MS);
  details.addEventListener("beforetoggle", () => fillDetails(details, app));
  return {
    dispose() {
      clearInterval(timer);
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
  const lines = troubleLines(status.get()).map((line) =>
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
  return app.recording.get().runs.find((run) => run.current)?.run ?? null;
}

/** @param {App} app */
function expectedMs(app) {
  const run = app.recording.get().runs.find((known) => known.current);
  return run ? 1000 / run.tickRate : 0;
}

/**
 * Return a function that does something at the next picture at the latest, once for many calls.
 * @param {() => void} work
 */
function throttled(work) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      work();
    });
  };
}
