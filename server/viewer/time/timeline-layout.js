// @ts-check
/** Where the runs lie on the timeline: one after another, each as wide as it has ticks. */

import { Scale } from "./scale.js";

/** @typedef {import("../types.js").Run} Run */

/**
 * A run on the timeline.
 * @typedef {object} Stretch
 * @property {Run} run
 * @property {Scale} x its ticks to pixels
 */

const GAP = 5;
/** A run is as wide at least, where there is room for all. */
const LEAST_WIDTH = 28;

/**
 * Lay the runs out over a width.
 * @param {Run[]} runs the oldest first
 * @param {number} width pixels
 * @param {number} offset pixels by which all is moved to the left
 * @returns {Stretch[]}
 */
export function layOut(runs, width, offset) {
  const gap = Math.min(GAP, (0.2 * width) / Math.max(1, runs.length));
  const room = width - gap * (runs.length - 1);
  const widths = shares(runs.map(ticksOf), room, Math.min(LEAST_WIDTH, (0.6 * room) / runs.length));
  let left = -offset;
  return runs.map((run, place) => {
    const x = new Scale(run.first_t, Math.max(run.last_t, run.first_t + 1), left, 0);
    const end = left + widths[place];
    left = end + gap;
    return { run, x: new Scale(x.from, x.to, x.start, end) };
  });
}

/**
 * Divide a length in proportion to weights, but give each `least`. Those that would get less are
 * given that first, until all others get more.
 * @param {number[]} weights
 * @param {number} length
 * @param {number} least no more than length / weights.length
 * @returns {number[]}
 */
export function shares(weights, length, least) {
  const small = new Set();
  for (;;) {
    const rest = weights.reduce((sum, weight, n) => sum + (small.has(n) ? 0 : weight), 0);
    const unit = (length - small.size * least) / (rest || 1);
    const found = weights.findIndex((weight, n) => !small.has(n) && weight * unit < least);
    if (found < 0) return weights.map((weight, n) => (small.has(n) ? least : weight * unit));
    for (const [n, weight] of weights.entries()) if (weight * unit < least) small.add(n);
  }
}

/**
 * Return the moment at a pixel, the nearest one if no run lies there.
 * @param {Stretch[]} stretches
 * @param {number} pixel
 * @returns {{run: Run, t: number, beyond: number} | null} `beyond`: pixels after the end of the run
 */
export function momentAt(stretches, pixel) {
  let nearest = null;
  let least = Number.POSITIVE_INFINITY;
  for (const { run, x } of stretches) {
    const beyond = Math.max(0, pixel - x.end);
    const distance = Math.max(x.start - pixel, beyond);
    if (distance >= least) continue;
    least = distance;
    const t = Math.round(x.valueAt(Math.min(x.end, Math.max(x.start, pixel))));
    nearest = { run, t, beyond };
  }
  return nearest;
}

/**
 * @param {Stretch[]} stretches
 * @param {string | null} run
 * @param {number | null} t
 * @returns {number | null} null if there is no such run
 */
export function pixelOf(stretches, run, t) {
  const found = stretches.find((stretch) => stretch.run.run === run);
  return found && t !== null ? found.x.at(t) : null;
}

/**
 * Return how many ticks were recorded up to a moment, over all runs: a moment as one number.
 * @param {Run[]} runs
 * @param {string | null} run
 * @param {number | null} t
 * @returns {number}
 */
export function positionOf(runs, run, t) {
  let before = 0;
  for (const known of runs) {
    if (known.run === run) return before + Math.max(0, (t ?? known.first_t) - known.first_t);
    before += ticksOf(known);
  }
  return before;
}

/** @param {Run} run */
function ticksOf({ first_t, last_t }) {
  return Math.max(1, last_t - first_t + 1);
}
