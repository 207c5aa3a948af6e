// @ts-check
/** How the moment shown stands to what comes live: behind by how much, how many frames wait. */

import { element as make, say, together } from "../people/elements.js";
import { numberText } from "../people/numbers.js";
import { Redraw } from "../state/redraw.js";
import { newestTick, runOf } from "./runs.js";

/** @typedef {import("../types.js").App} App */

/** Between two looks: these figures need not be read at every frame. */
const REST_MS = 250;

/**
 * @param {App} app
 * @returns {{element: HTMLElement, dispose(): void}}
 */
export function createState(app) {
  const behind = make("span", { className: "transport-behind" });
  const seeking = make("span", { className: "transport-seeking", role: "status" });
  const failed = make("span", { className: "transport-fault", role: "alert" });
  const element = make("div", { className: "transport-state" }, failed, seeking, behind);
  const redraw = new Redraw(() => {
    const { replayError } = app.status.get();
    const { text } = app;
    say(failed, replayError === null ? "" : text.t("transportFailed", { reason: replayError }));
    failed.title = failed.textContent; // where it is longer than there is room for
    say(seeking, app.cursor.get().seeking ? text.t("transportSeeking") : "");
    say(behind, behindText(app));
  }, REST_MS);
  const end = together(
    app.cursor.followFields(["mode", "run", "seeking"], () => redraw.now()),
    app.cursor.followFields(["t"], () => redraw.soon()),
    app.status.followFields(["replayError"], () => redraw.now()),
    app.status.followFields(["serverT"], () => redraw.soon()),
    app.text.follow(() => redraw.now()),
  );
  return {
    element,
    dispose() {
      end();
      redraw.dispose();
    },
  };
}

/**
 * @param {App} app
 * @returns {string} empty while live
 */
function behindText(app) {
  const { text } = app;
  const { mode, run, t } = app.cursor.get();
  const known = runOf(app, run);
  if (mode === "live" || run === null || t === null || !known) return "";
  if (!known.current) return text.t("transportOtherRun");
  const ticks = Math.max(0, (newestTick(app) ?? t) - t);
  const words = text.t("transportBehind", {
    ticks: numberText(text.language, ticks),
    seconds: numberText(text.language, ticks / known.tickRate, 1),
  });
  const frames = app.moments.countAfter(run, t);
  if (!frames) return words;
  return `${words} · ${text.t("transportWaiting", { frames: numberText(text.language, frames) })}`;
}
