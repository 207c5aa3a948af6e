// @ts-check
/** The keys of the timeline, those of a slider, and + - 0 to stretch it. */

import { runOf } from "./runs.js";

/** @typedef {import("../types.js").App} App */

const FAR_FRAMES = 10;
/** Page up and down move by this part of the run. */
const PAGE = 0.05;
const STRETCH = 1.5;

/**
 * Return what a key does.
 * @param {KeyboardEvent} event
 * @param {App} app
 * @param {{stretch: (factor: number) => void, reset: () => void}} view
 * @returns {(() => void) | undefined}
 */
export function timelineCommand({ key, shiftKey, ctrlKey, altKey, metaKey }, app, view) {
  if (ctrlKey || altKey || metaKey) return undefined;
  const frames = shiftKey ? FAR_FRAMES : 1;
  const { director } = app;
  /** @type {Record<string, () => void>} */
  const commands = {
    ArrowLeft: () => director.step(-frames),
    ArrowDown: () => director.step(-frames),
    ArrowRight: () => director.step(frames),
    ArrowUp: () => director.step(frames),
    PageDown: () => goBy(app, -PAGE),
    PageUp: () => goBy(app, PAGE),
    Home: () => goToStart(app),
    End: () => goToEnd(app),
    "+": () => view.stretch(STRETCH),
    "=": () => view.stretch(STRETCH), // the same key without shift
    "-": () => view.stretch(1 / STRETCH),
    0: () => view.reset(),
  };
  return commands[key];
}

/**
 * @param {App} app
 * @param {number} part of the run
 */
function goBy(app, part) {
  const { run, t } = app.cursor.get();
  const known = runOf(app, run);
  if (!known || t === null) return;
  const wanted = t + Math.round(part * (known.last_t - known.first_t));
  app.director.seek(known.run, Math.min(known.last_t, Math.max(known.first_t, wanted)));
}

/** @param {App} app */
function goToStart(app) {
  const known = runOf(app, app.cursor.get().run);
  if (known) app.director.seek(known.run, known.first_t);
}

/** @param {App} app */
function goToEnd(app) {
  const known = runOf(app, app.cursor.get().run);
  if (known?.current) app.director.goLive();
  else if (known) app.director.seek(known.run, known.last_t);
}
