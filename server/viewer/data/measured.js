// @ts-check
/**
 * Measures that the camera has answered with, in pieces of so many points: a piece is answered up to
 * some tick, so that a span that moves, or comes back, asks only for what is not here.
 */

import { firstAtOrAfter } from "./sorted.js";

/** @typedef {import("../types.js").Course} Course */
/** @typedef {import("../types.js").MeasureKey} MeasureKey */
/** @typedef {{from: number, to: number}} Section both ends included */

/**
 * Where points lie: at the frames whose ticks are multiples of so many strides.
 * @typedef {object} Grid
 * @property {string} run
 * @property {number} stride
 * @property {number} every frames from one point to the next, a power of two
 */

/** @typedef {{t: number[], values: number[], end: number}} Piece `end`: first tick not answered */

/** Points of a piece. */
export const PIECE_POINTS = 32;
/** Pieces that are kept: about 3 MB. */
const MOST_PIECES = 4_000;
/** Where nothing is here at the distance wanted, points up to so many times denser or rarer will do. */
const MOST_APART = 16;

/** @param {Grid} grid @returns {number} ticks from one point to the next */
export function stepOf({ stride, every }) {
  return stride * every;
}

/**
 * Return the first point after a tick. That at which a run begins need not be one of the grid's.
 * @param {Grid} grid
 * @param {number} t
 */
export function nextPoint(grid, t) {
  const step = stepOf(grid);
  return (Math.floor(t / step) + 1) * step;
}

/** @param {Grid} one @param {Grid} other */
export function isSame(one, other) {
  return one.run === other.run && one.every === other.every && one.stride === other.stride;
}

export class Measured {
  constructor() {
    /** @type {Map<string, Piece>} the one that was begun first first */
    this.pieces = new Map();
  }

  /**
   * Return the first ticks of a section that were not answered, in whole pieces at the end.
   * @param {Grid} grid
   * @param {MeasureKey} key
   * @param {Section} section
   * @returns {Section | null} all are here
   */
  missing(grid, key, { from, to }) {
    let found = /** @type {Section | null} */ (null);
    for (const { start, end, piece } of this.#across(grid, key, { from, to })) {
      const begin = piece ? piece.end : start;
      const isMissing = begin < end && begin <= to;
      if (found && !(isMissing && begin === start)) break;
      if (isMissing) found = { from: found ? found.from : begin, to: end - 1 };
    }
    return found;
  }

  /**
   * Take a line of an answer.
   * @param {Grid} grid
   * @param {readonly MeasureKey[]} keys
   * @param {{t: number} & Record<string, number | null>} line
   */
  add(grid, keys, line) {
    const { t } = line;
    for (const key of keys) {
      const piece = this.#begun(grid, key, t);
      if (piece.t.length && t <= piece.t[piece.t.length - 1]) continue; // it was here
      piece.t.push(t);
      piece.values.push(line[key] ?? Number.NaN);
    }
  }

  /**
   * Take that a section was answered: nothing is there but what has come.
   * @param {Grid} grid
   * @param {readonly MeasureKey[]} keys
   * @param {Section} section
   */
  answered(grid, keys, section) {
    for (const key of keys) {
      for (const { start, end } of this.#across(grid, key, section)) {
        const piece = this.#begun(grid, key, start);
        piece.end = Math.max(piece.end, Math.min(end, section.to + 1));
      }
    }
  }

  /**
   * Return what is here of a section, a point more at either end: at the distance wanted, or else at
   * the next at which there is something.
   * @param {Grid} grid
   * @param {MeasureKey} key
   * @param {Section} section
   * @returns {Course | null} nothing is here
   */
  course(grid, key, section) {
    for (const every of likely(grid.every)) {
      const course = this.#courseAt({ ...grid, every }, key, section);
      if (course) return course;
    }
    return null;
  }

  /**
   * @param {Grid} grid
   * @param {MeasureKey} key
   * @param {Section} section
   * @returns {Course | null}
   */
  #courseAt(grid, key, { from, to }) {
    const step = stepOf(grid);
    const t = [];
    const values = [];
    for (const { piece } of this.#across(grid, key, { from: from - step, to: to + step })) {
      if (!piece) continue;
      t.push(...piece.t);
      values.push(...piece.values);
    }
    const ticks = Float64Array.from(t);
    const isThere = firstAtOrAfter(ticks, from - step) < firstAtOrAfter(ticks, to + 1);
    if (!isThere) return null;
    const line = Float64Array.from(values);
    const gap = 1.5 * step;
    return { t: ticks, to, min: line, max: line, last: line, gap, isExact: true };
  }

  /**
   * @param {Grid} grid
   * @param {MeasureKey} key
   * @param {Section} section
   */
  *#across(grid, key, { from, to }) {
    const length = PIECE_POINTS * stepOf(grid);
    const last = Math.floor(to / length);
    for (let n = Math.floor(from / length); n <= last; n++) {
      const piece = this.pieces.get(nameOf(grid, key, n));
      yield { start: n * length, end: (n + 1) * length, piece };
    }
  }

  /**
   * @param {Grid} grid
   * @param {MeasureKey} key
   * @param {number} t
   * @returns {Piece}
   */
  #begun(grid, key, t) {
    const length = PIECE_POINTS * stepOf(grid);
    const n = Math.floor(t / length);
    const name = nameOf(grid, key, n);
    const known = this.pieces.get(name);
    if (known) return known;
    const piece = { t: [], values: [], end: n * length };
    this.pieces.set(name, piece);
    if (this.pieces.size > MOST_PIECES) {
      this.pieces.delete(/** @type {string} */ (this.pieces.keys().next().value));
    }
    return piece;
  }
}

/**
 * @param {Grid} grid
 * @param {MeasureKey} key
 * @param {number} n
 */
function nameOf({ run, every }, key, n) {
  return `${run} ${every} ${key} ${n}`;
}

/**
 * Return distances in frames, the one wanted first, then those next to it.
 * @param {number} every
 */
function* likely(every) {
  yield every;
  for (let times = 2; times <= MOST_APART; times *= 2) {
    yield every * times;
    if (every / times >= 1) yield every / times;
  }
}
