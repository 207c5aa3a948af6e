// @ts-check
/** Keeps the visible span with the cursor, and within its run. */

import { newestTick, runOf } from "./runs.js";
import { centred, followed, USUAL_LENGTH } from "./span.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").Cursor} Cursor */

/**
 * Move the span along for as long as this is not ended. Of another run it begins anew. A span that
 * does not follow stays where it is, unless the user goes to a moment outside of it.
 * @param {App} app
 * @returns {() => void} ends it
 */
export function followCursor(app) {
  /** @type {string | null} */
  let run = null;
  return app.cursor.followFields(["mode", "run", "t"], (cursor) => {
    if (cursor.run === null || cursor.t === null) return;
    const span = app.span.get();
    const limits = limitsOf(app, cursor);
    const anotherRun = run !== null && run !== cursor.run;
    run = cursor.run;
    if (span.follow || anotherRun) {
      app.span.set({ ...followed(span, cursor, newestOf(app, cursor), limits), follow: true });
    } else if (isAway(span, cursor)) {
      app.span.set(centred(cursor.t, span.to - span.from, limits));
    }
  });
}

/**
 * Let the span follow again, as long as usual.
 * @param {App} app
 */
export function followAgain(app) {
  const cursor = app.cursor.get();
  const newest = newestOf(app, cursor);
  if (cursor.t === null) app.span.set({ follow: true });
  else if (cursor.mode === "live") {
    app.span.set({ from: newest - USUAL_LENGTH, to: newest, follow: true });
  } else {
    app.span.set({ ...centred(cursor.t, USUAL_LENGTH, limitsOf(app, cursor)), follow: true });
  }
}

/**
 * @param {App} app
 * @param {Cursor} cursor
 * @returns {import("./span.js").Section} first and last tick of the cursor's run
 */
export function limitsOf(app, cursor) {
  const run = runOf(app, cursor.run);
  const t = cursor.t ?? 0;
  const last = Math.max(t, run?.last_t ?? 0, run?.current ? (newestTick(app) ?? 0) : 0);
  return { from: Math.min(t, run?.first_t ?? t), to: last };
}

/**
 * Metrics come with every tick, frames with every stride: what comes live is ahead of the cursor.
 * @param {App} app
 * @param {Cursor} cursor
 */
function newestOf(app, cursor) {
  const t = cursor.t ?? 0;
  return cursor.mode === "live" ? Math.max(t, newestTick(app) ?? t) : t;
}

/**
 * @param {import("../types.js").Span} span
 * @param {Cursor} cursor
 */
function isAway({ from, to }, { mode, playing, t }) {
  return mode === "recorded" && !playing && t !== null && (t < from || t > to);
}
