// @ts-check
/** A feature of a few agents over the frames that the page holds, very small. */

import { figureOfAgent } from "./figures.js";

/** @typedef {import("../types.js").Frame} Frame */
/** @typedef {import("../types.js").Feature} Feature */

const WIDTH = 96;
const HEIGHT = 20;
const EDGE = 2;

/** @returns {HTMLCanvasElement} */
export function createSparkline() {
  const canvas = document.createElement("canvas");
  canvas.className = "sparkline";
  canvas.width = WIDTH * devicePixelRatio;
  canvas.height = HEIGHT * devicePixelRatio;
  canvas.setAttribute("aria-hidden", "true"); // what it shows stands beside it in figures
  return canvas;
}

/**
 * Draw the lines of some agents on one scale.
 * @param {HTMLCanvasElement} canvas
 * @param {Frame[]} frames the oldest first
 * @param {{ids: number[], feature: Feature, colors: string[]}} what
 */
export function drawSparkline(canvas, frames, { ids, feature, colors }) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  context.clearRect(0, 0, WIDTH, HEIGHT);
  const lines = ids.map((id) => frames.map((frame) => figureOfAgent(frame, id, feature)));
  const [least, greatest] = extent(lines);
  if (!(greatest >= least)) return;
  const first = frames[0]?.t ?? 0;
  const span = Math.max(1, (frames.at(-1)?.t ?? 1) - first);
  const range = greatest - least || 1;
  const x = (/** @type {number} */ at) =>
    EDGE + ((frames[at].t - first) / span) * (WIDTH - 2 * EDGE);
  const y = (/** @type {number} */ value) =>
    HEIGHT - EDGE - ((value - least) / range) * (HEIGHT - 2 * EDGE);
  lines.forEach((line, number) => {
    context.strokeStyle = colors[number % colors.length];
    context.lineWidth = 1.25;
    strokeLine(context, line, x, y);
  });
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} line
 * @param {(at: number) => number} x
 * @param {(value: number) => number} y
 */
function strokeLine(context, line, x, y) {
  context.beginPath();
  let isDown = false;
  for (let at = 0; at < line.length; at++) {
    if (Number.isNaN(line[at])) isDown = false;
    else if (isDown) context.lineTo(x(at), y(line[at]));
    else {
      context.moveTo(x(at), y(line[at]));
      isDown = true;
    }
  }
  context.stroke();
}

/**
 * @param {number[][]} lines
 * @returns {[number, number]}
 */
function extent(lines) {
  let least = Number.POSITIVE_INFINITY;
  let greatest = Number.NEGATIVE_INFINITY;
  for (const value of lines.flat()) {
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  return [least, greatest];
}
