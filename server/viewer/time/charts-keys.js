// @ts-check
/** The keys of the charts: the crosshair for those without a pointer, and the visible span. */

import { followAgain, limitsOf } from "./follow.js";
import { moveBy, zoomBy } from "./navigate.js";

/** @typedef {import("../types.js").App} App */

/** Parts of the span: by which the crosshair goes, and by which the span moves on. */
const STEP = 0.01;
const FAR = 0.1;
const NEARER = 0.5;

/**
 * Return what a key does.
 * @param {KeyboardEvent} event
 * @param {App} app
 * @returns {(() => void) | undefined}
 */
export function chartsCommand({ key, shiftKey, ctrlKey, altKey, metaKey }, app) {
  if (ctrlKey || altKey || metaKey) return undefined;
  const { t } = app.hovered.get();
  const zoom = (/** @type {number} */ factor) => zoomBy(app, factor, t);
  const go = (/** @type {1 | -1} */ way) =>
    shiftKey ? moveBy(app, way * FAR) : moveCrosshair(app, way);
  /** @type {Record<string, () => void>} */
  const commands = {
    ArrowLeft: () => go(-1),
    ArrowRight: () => go(1),
    "+": () => zoom(NEARER),
    "=": () => zoom(NEARER), // the same key without shift
    "-": () => zoom(1 / NEARER),
    0: () => followAgain(app),
    Home: () => followAgain(app),
  };
  if (t === null) return commands[key];
  return { ...commands, Enter: () => seek(app, t), Escape: () => app.hovered.set({ t: null }) }[
    key
  ];
}

/**
 * Move the crosshair, which begins at the cursor; the span goes with it where it would leave it.
 * @param {App} app
 * @param {1 | -1} way
 */
function moveCrosshair(app, way) {
  const { from, to } = app.span.get();
  const cursor = app.cursor.get();
  const limits = limitsOf(app, cursor);
  const start = Math.min(to, Math.max(from, app.hovered.get().t ?? cursor.t ?? to));
  const wanted = start + way * Math.max(1, Math.round(STEP * (to - from)));
  const t = Math.min(limits.to, Math.max(limits.from, wanted));
  app.hovered.set({ t });
  if (t < from || t > to) moveBy(app, way * FAR);
}

/**
 * @param {App} app
 * @param {number} t
 */
function seek({ cursor, director }, t) {
  const { run } = cursor.get();
  if (run !== null) director.seek(run, t);
}
