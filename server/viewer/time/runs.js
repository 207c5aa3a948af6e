// @ts-check
/** Runs by their id, and how far what comes live has come. */

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").Run} Run */

/**
 * @param {App} app
 * @param {string | null} id
 * @returns {Run | null}
 */
export function runOf(app, id) {
  return app.recording.get().runs.find((run) => run.run === id) ?? null;
}

/**
 * @param {App} app
 * @returns {number | null} the newest tick of what comes live
 */
export function newestTick(app) {
  const { serverT } = app.status.get();
  const { length, t } = app.series;
  const held = length ? t[length - 1] : null;
  if (serverT === null || held === null) return serverT ?? held;
  return Math.max(serverT, held);
}
