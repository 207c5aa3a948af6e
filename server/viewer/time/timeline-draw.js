// @ts-check
/** Draws the timeline: runs, missing ticks, events; and over it what moves. */

import { clockText, numberText } from "../people/numbers.js";
import { drawMark } from "./events.js";
import { niceValues } from "./scale.js";

/** @typedef {import("./timeline-layout.js").Stretch} Stretch */
/** @typedef {import("./events.js").Mark} Mark */
/** @typedef {import("./palette.js").Colors} Colors */
/** @typedef {{from: number, to: number}} Section */

/**
 * @typedef {object} Scene
 * @property {Stretch[]} stretches
 * @property {Mark[]} marks
 * @property {number} width
 * @property {string | null} run that is shown
 * @property {CanvasPattern} missing filling of ticks that are missing
 * @property {Colors} colors
 * @property {string} language
 */

/** Pixels from the top: shocks, bursts, then the runs, then when they began. */
export const LANES = Object.freeze({
  shock: 4,
  burst: 12,
  track: 18,
  trackHeight: 24,
  labels: 45,
  height: 58,
});
/** What lies at the ends of the timeline, the cursor most of all, is seen whole. */
export const BLEED = 6;
const FONT = "10px system-ui, sans-serif";
const MARK_RADIUS = 2.5;
const TICK_LABEL_WIDTH = 90;
const LEAST_LABEL = 44;

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 */
export function drawTimeline(context, scene) {
  context.translate(BLEED, 0);
  context.font = FONT;
  for (const stretch of scene.stretches) {
    if (stretch.x.end < 0 || stretch.x.start > scene.width) continue;
    drawRun(context, stretch, scene);
    context.save();
    context.beginPath();
    context.rect(stretch.x.start, LANES.track, lengthOf(stretch), LANES.trackHeight);
    context.clip();
    drawTicks(context, stretch, scene);
    drawHoles(context, stretch, scene);
    context.restore();
    drawLabel(context, stretch, scene);
  }
  for (const mark of scene.marks) {
    context.fillStyle = scene.colors[mark.type];
    const radius = MARK_RADIUS + Math.min(1.5, 0.4 * Math.log2(mark.count)); // many: larger
    drawMark(context, mark, mark.x, LANES[mark.type], radius);
  }
}

/** @param {Stretch} stretch */
function lengthOf({ x }) {
  return x.end - x.start;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Stretch} stretch
 * @param {Scene} scene
 */
function drawRun(context, stretch, { colors, run }) {
  const { x } = stretch;
  const isShown = stretch.run.run === run;
  context.fillStyle = colors.raised;
  context.strokeStyle = isShown ? colors["line-strong"] : colors.line;
  context.lineWidth = 1;
  context.beginPath();
  context.roundRect(
    x.start + 0.5,
    LANES.track + 0.5,
    lengthOf(stretch) - 1,
    LANES.trackHeight - 1,
    3,
  );
  context.fill();
  context.stroke();
  if (!stretch.run.current) return;
  context.fillStyle = colors.good;
  context.fillRect(x.end - 2, LANES.track, 2, LANES.trackHeight);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Stretch} stretch
 * @param {Scene} scene
 */
function drawTicks(context, { x }, { width, colors, language }) {
  const from = Math.max(x.from, x.valueAt(Math.max(0, x.start)));
  const to = Math.min(x.to, x.valueAt(Math.min(width, x.end)));
  const pixels = x.at(to) - x.at(from);
  if (pixels < TICK_LABEL_WIDTH) return;
  context.textAlign = "left";
  context.textBaseline = "middle";
  const { values } = niceValues(from, to, pixels / TICK_LABEL_WIDTH, 1);
  for (const tick of values) {
    const at = Math.round(x.at(tick));
    context.fillStyle = colors["line-strong"];
    context.fillRect(at, LANES.track, 1, 5);
    context.fillStyle = colors["text-soft"];
    context.fillText(numberText(language, tick), at + 3, LANES.track + LANES.trackHeight / 2 + 2);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Stretch} stretch
 * @param {Scene} scene
 */
function drawHoles(context, { run, x }, { missing }) {
  context.fillStyle = missing;
  for (const { from_t, to_t } of run.holes) {
    const left = x.at(from_t);
    context.fillRect(left, LANES.track, Math.max(2, x.at(to_t + 1) - left), LANES.trackHeight);
  }
}

/**
 * Write when a run began, where that is seen, cut off at the end of the run.
 * @param {CanvasRenderingContext2D} context
 * @param {Stretch} stretch
 * @param {Scene} scene
 */
function drawLabel(context, stretch, { colors, language, run }) {
  const left = Math.max(0, stretch.x.start);
  const room = stretch.x.end - left;
  if (room < LEAST_LABEL) return;
  context.save();
  context.beginPath();
  context.rect(left, LANES.labels, room, LANES.height - LANES.labels);
  context.clip();
  context.textAlign = "left";
  context.textBaseline = "top";
  context.fillStyle = stretch.run.run === run ? colors.text : colors["text-soft"];
  context.fillText(clockText(language, stretch.run.started_at), left + 1, LANES.labels);
  context.restore();
}

/**
 * @typedef {object} Moving
 * @property {Stretch | null} shown the run that is shown
 * @property {Section | null} span
 * @property {Section | null} loop
 * @property {number | null} cursor
 * @property {number | null} hovered
 * @property {boolean} live
 * @property {Colors} colors
 */

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Moving} moving
 */
export function drawMoving(context, { shown, span, loop, cursor, hovered, live, colors }) {
  if (!shown) return;
  context.translate(BLEED, 0);
  const { x } = shown;
  const place = (/** @type {number} */ t) => Math.min(x.end, Math.max(x.start, x.at(t)));
  if (span) drawSpan(context, place(span.from), place(span.to), colors);
  if (loop) drawLoop(context, place(loop.from), place(loop.to), colors);
  if (hovered !== null && hovered >= x.from && hovered <= x.to) {
    context.fillStyle = colors["line-strong"];
    context.fillRect(Math.round(x.at(hovered)), LANES.track, 1, LANES.trackHeight);
  }
  if (cursor !== null) drawCursor(context, place(cursor), live ? colors.good : colors.text);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} left
 * @param {number} right
 * @param {Colors} colors
 */
function drawSpan(context, left, right, colors) {
  const width = Math.max(3, right - left);
  context.fillStyle = colors.accent;
  context.globalAlpha = 0.2;
  context.fillRect(left, LANES.track, width, LANES.trackHeight);
  context.globalAlpha = 1;
  context.strokeStyle = colors.accent;
  context.lineWidth = 1;
  context.strokeRect(left + 0.5, LANES.track + 0.5, width - 1, LANES.trackHeight - 1);
}

/**
 * Draw a section as a bar between two brackets.
 * @param {CanvasRenderingContext2D} context
 * @param {number} left
 * @param {number} right
 * @param {Colors} colors
 */
function drawLoop(context, left, right, colors) {
  const [top, bottom] = [LANES.track - 2, LANES.track + LANES.trackHeight + 2];
  context.fillStyle = colors.good;
  context.fillRect(left, bottom - 4, Math.max(2, right - left), 3);
  context.strokeStyle = colors.good;
  context.lineWidth = 2;
  context.beginPath();
  for (const [at, inwards] of [
    [left, 4],
    [right, -4],
  ]) {
    context.moveTo(at + inwards, top);
    context.lineTo(at, top);
    context.lineTo(at, bottom);
    context.lineTo(at + inwards, bottom);
  }
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} at
 * @param {string} color
 */
function drawCursor(context, at, color) {
  context.fillStyle = color;
  context.fillRect(at - 1, LANES.track - 2, 2, LANES.trackHeight + 4);
  context.beginPath();
  context.arc(at, LANES.track + LANES.trackHeight + 2, 4, 0, 2 * Math.PI);
  context.fill();
}
