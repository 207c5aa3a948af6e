// @ts-check
/** What the timeline says: of the moment shown, and of that under the pointer. */

import { clockText, numberText } from "../people/numbers.js";
import { eventText } from "./event-text.js";
import { runOf } from "./runs.js";
import { positionOf } from "./timeline-layout.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").Run} Run */

/**
 * Tell assistive technology which moment is shown.
 * @param {Element} slider
 * @param {App} app
 */
export function tellMoment(slider, app) {
  const { mode, run, t } = app.cursor.get();
  const { runs } = app.recording.get();
  const { language } = app.text;
  const known = runOf(app, run);
  const words = mode === "live" ? "timelineLive" : "timelineAt";
  const values = {
    started: clockText(language, known?.started_at ?? ""),
    t: numberText(language, t ?? 0),
  };
  slider.setAttribute("aria-valuemin", "0");
  slider.setAttribute("aria-valuemax", String(positionOf(runs, null, null)));
  slider.setAttribute("aria-valuenow", String(positionOf(runs, run, t)));
  slider.setAttribute("aria-valuetext", app.text.t(known ? words : "timelineNone", values));
}

/**
 * Return what there is at a moment, a line for each: run and tick, events, what is missing.
 * @param {import("../people/text.js").Text} text
 * @param {{run: Run, t: number}} moment
 * @param {import("./events.js").Mark | null} mark
 * @returns {string}
 */
export function momentText(text, { run, t }, mark) {
  const number = (/** @type {number} */ value) => numberText(text.language, value);
  const started = clockText(text.language, run.started_at);
  const lines = [text.t("timelineAt", { started, t: number(t) })];
  if (mark) lines.push(eventText(text, mark));
  const hole = run.holes.find(({ from_t, to_t }) => t >= from_t && t <= to_t);
  if (hole) {
    const { from_t, to_t, reason } = hole;
    lines.push(text.t("timelineHole", { from: number(from_t), to: number(to_t), reason }));
  }
  return lines.join("\n");
}
