// @ts-check
/** From one burst or shock to the next. */

import { iconButton } from "./elements.js";
import { firstFrom } from "./events.js";
import { runOf } from "./runs.js";

/** @typedef {import("../types.js").App} App */

/**
 * Return the moment at which an event is in the frame: that of the first frame at or after it.
 * @param {number} t tick of the event
 * @param {number} stride
 * @returns {number}
 */
export function frameWith(t, stride) {
  return Math.ceil(t / stride) * stride;
}

/**
 * @param {App} app
 * @returns {{before: HTMLButtonElement, next: HTMLButtonElement}}
 */
export function createEventSteps(app) {
  const go = (/** @type {1 | -1} */ direction) => {
    const { run, t } = app.cursor.get();
    if (run === null || t === null) return;
    const events = app.recording.get().events.get(run) ?? [];
    const stride = runOf(app, run)?.stride ?? 1;
    // Those of t - stride + 1 … t are in the frame that is shown, as its newest ticks.
    const place = direction > 0 ? firstFrom(events, t + 1) : firstFrom(events, t - stride + 1) - 1;
    const event = events[place];
    if (event) app.director.seek(run, frameWith(event.t, stride));
  };
  return {
    before: iconButton("lastEvent", "transportLastEvent", () => go(-1)),
    next: iconButton("nextEvent", "transportNextEvent", () => go(1)),
  };
}
