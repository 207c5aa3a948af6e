// @ts-check
/** The layout by two features: where nodes stand in the unit square, and the axes that say so. */

import { extent } from "./features.js";
import { AXIS_ROOM, SteadyRange } from "./range.js";

/** @typedef {import("../types.js").Feature} Feature */
/** @typedef {import("../types.js").Filtered} Filtered */

/** What is unknown stands here, between the end of the axis and the least value. */
const UNKNOWN_AT = 0.008;

/** An axis: the way from values to the unit square, which may be moving from one to another. */
export class Axis {
  constructor() {
    this.range = new SteadyRange(AXIS_ROOM);
    /** @type {Feature | null} */
    this.feature = null;
    this.run = "";
    this.from = { slope: 1, shift: 0 };
    this.to = { slope: 1, shift: 0 };
    /** There are values below 0: else no label need say that there might be. */
    this.negative = false;
    /** Nodes whose value is unknown. */
    this.unknown = 0;
  }

  /** The axis is not where it was: it has to be drawn again on the way. */
  get moving() {
    return this.from !== this.to;
  }

  /**
   * Take the values of a frame, and write where they stand.
   * @param {Feature} feature
   * @param {string} run
   * @param {Float64Array} values NaN where unknown
   * @param {Float32Array} into
   * @param {number} share of the way to the frame before that has been gone
   */
  take(feature, run, values, into, share) {
    const other = feature !== this.feature || run !== this.run;
    if (other) this.range.reset();
    this.feature = feature;
    this.run = run;
    const now = this.at(share);
    const [least, most] = extent(values);
    const changed = this.range.hold(least, most);
    this.negative = least < 0;
    const { low, high } = this.range;
    if (changed) this.to = { slope: 1 / (high - low), shift: -low / (high - low) };
    this.from = other ? this.to : now;
    this.unknown = place(values, this.to, into);
  }

  /**
   * Return the way from values to the unit square, with so much of its own way gone.
   * @param {number} share
   * @returns {{slope: number, shift: number}}
   */
  at(share) {
    if (!this.moving || share >= 1) return this.to;
    const { from, to } = this;
    return {
      slope: from.slope + (to.slope - from.slope) * share,
      shift: from.shift + (to.shift - from.shift) * share,
    };
  }
}

/**
 * @param {Float64Array} values
 * @param {{slope: number, shift: number}} way
 * @param {Float32Array} into
 * @returns {number} how many are unknown
 */
function place(values, { slope, shift }, into) {
  let unknown = 0;
  for (let row = 0; row < values.length; row++) {
    const at = values[row] * slope + shift;
    if (Number.isNaN(at)) unknown++;
    into[row] = Number.isNaN(at) ? UNKNOWN_AT : at;
  }
  return unknown;
}

/** Places nodes by the features chosen. */
export class AxesLayout {
  /** @param {import("../data/figures.js").FeatureReader} reader */
  constructor(reader) {
    this.reader = reader;
    this.x = new Axis();
    this.y = new Axis();
  }

  /** Differs when the axes look different, once they stand. @returns {string} */
  get key() {
    const parts = [this.x, this.y].map(({ feature, to, unknown, negative }) => [
      feature,
      to,
      unknown,
      negative,
    ]);
    return JSON.stringify(parts);
  }

  /**
   * Write where the nodes of a frame stand.
   * @param {Filtered} filtered
   * @param {{x: Feature, y: Feature}} features
   * @param {{x: Float32Array, y: Float32Array}} places
   * @param {number} share of the way to the frame before that has been gone
   */
  place({ moment: { frame, run } }, features, places, share) {
    this.x.take(features.x, run, this.reader.read(frame, features.x), places.x, share);
    this.y.take(features.y, run, this.reader.read(frame, features.y), places.y, share);
  }
}
