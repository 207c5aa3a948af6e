// @ts-check
/** What to ask the camera for, so that an answer with measures stays cheap. */

import { PIECE_POINTS, stepOf } from "../data/measured.js";
import { GRAPHS, measureKey, partsOf } from "../state/measures.js";

/** @typedef {import("../types.js").MeasureKey} MeasureKey */
/** @typedef {import("../types.js").Run} Run */
/** @typedef {import("../data/measured.js").Grid} Grid */
/** @typedef {import("../data/measured.js").Section} Section */
/** @typedef {{grid: Grid, section: Section, keys: MeasureKey[], known: Run}} Question */

/** Points of a chart at most, and pixels of one at least. */
const MOST_POINTS = 240;
const POINT_WIDTH = 3;
/** Frames that an answer leaves out are unpacked as well: so many at most an answer. */
const MOST_FRAMES = 20_000;
/** A frame that is not in the recording so long after it was filmed never will be. */
const SETTLED_SECONDS = 10;

/**
 * Return how many frames lie from one point to the next, so that there is room for all of them. A
 * power of two: points of a longer span are among those of a shorter.
 * @param {number} frames
 * @param {number} width pixels
 */
export function everyFor(frames, width) {
  const points = Math.min(MOST_POINTS, Math.max(2, width / POINT_WIDTH));
  return 2 ** Math.max(0, Math.ceil(Math.log2(frames / points)));
}

/**
 * Return what to ask for next: the first ticks that are missing of what is shown.
 * @param {import("../data/measured.js").Measured} measured
 * @param {Question} shown
 * @returns {Question | null} all is here
 */
export function questionFor(measured, { grid, section, keys, known }) {
  const wants = keys.flatMap((key) => {
    const missing = measured.missing(grid, key, section);
    return missing ? [{ key, ...missing }] : [];
  });
  if (!wants.length) return null;
  const first = wants.reduce((one, other) => (other.from < one.from ? other : one));
  const { from } = first;
  // One that is nearly all here is not asked for again for the sake of another.
  const near = wants.filter((want) => want.from - from < PIECE_POINTS * stepOf(grid));
  const most = from + Math.max(1, Math.floor(MOST_FRAMES / grid.every)) * stepOf(grid) - 1;
  const to = Math.min(first.to, most, known.lastFrame ?? first.to);
  return { grid, known, keys: near.map(({ key }) => key), section: { from, to } };
}

/**
 * Return the options for some measures, and all that they are answered with: each measure of each of
 * the graphs.
 * @param {MeasureKey[]} wanted
 */
export function requestFor(wanted) {
  const parts = wanted.map(partsOf);
  const graphs = GRAPHS.filter((graph) => parts.some((part) => part.graph === graph));
  const measures = [...new Set(parts.map(({ measure }) => measure))];
  const keys = graphs.flatMap((graph) => measures.map((measure) => measureKey(graph, measure)));
  return { keys, query: { edges: graphs.join(), measure: measures.join() } };
}

/**
 * Return up to which tick of a section the recording has all that it ever will.
 * @param {Run} run as it was asked for
 * @param {Section} section
 */
export function settledOf({ current, lastFrame, tickRate }, { to }) {
  if (!current) return to;
  return Math.min(to, (lastFrame ?? to) - SETTLED_SECONDS * tickRate);
}
