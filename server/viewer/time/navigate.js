// @ts-check
/** Nearer, farther, on, to a section, and back to where the cursor was. */

import { limitsOf } from "./follow.js";
import { within, zoomed } from "./span.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("./span.js").Section} Section */

/**
 * Make the span longer or shorter. Live, it goes on ending at the newest tick.
 * @param {App} app
 * @param {number} factor
 * @param {number | null} about tick that stays in its place; null: the cursor's
 */
export function zoomBy(app, factor, about) {
  const span = app.span.get();
  const cursor = app.cursor.get();
  if (span.follow && cursor.mode === "live") {
    const all = limitsOf(app, cursor);
    const from = span.to - Math.max(all.to - all.from, span.to - span.from);
    app.span.set(within(zoomed(span, factor, span.to), { from, to: span.to }));
    return;
  }
  const fixed = Math.min(span.to, Math.max(span.from, about ?? cursor.t ?? span.to));
  showSection(app, zoomed(span, factor, fixed), span.follow);
}

/**
 * @param {App} app
 * @param {number} part of the span by which to move on
 */
export function moveBy(app, part) {
  const { from, to } = app.span.get();
  const shift = (to - from) * part;
  showSection(app, { from: from + shift, to: to + shift });
}

/**
 * Show a section as far as there is something to see in it.
 * @param {App} app
 * @param {Section} section
 * @param {boolean} [follow]
 */
export function showSection(app, section, follow = false) {
  app.span.set({ ...within(section, limitsOf(app, app.cursor.get())), follow });
}

/**
 * Let the cursor be where it was: of a double click the first click has moved it.
 * @param {App} app
 * @param {import("../types.js").Cursor} before
 */
export function goBack({ director }, { mode, run, t, playing }) {
  if (mode === "live") director.goLive();
  else if (run !== null && t !== null) {
    director.seek(run, t);
    if (playing) director.play();
  }
}
