// @ts-check
/** The figures of agents in a frame, to draw, to filter by and to read: one meaning everywhere. */

import { firstAtOrAfter } from "./sorted.js";

/** @typedef {import("../types.js").Frame} Frame */
/** @typedef {import("../types.js").Feature} Feature */

/** Of an agent that quoted nothing the camera says 0; there is no such price. */
const OF_QUOTES = new Set(["quote_price_mean", "quote_price_std", "quote_dist_to_mid_mean"]);

/**
 * Return a feature of one node; NaN where it is unknown: where the frame says null, and of quotes
 * where the agent made none.
 * @param {Frame} frame
 * @param {Feature} feature
 * @param {number} row
 * @returns {number}
 */
export function figureOf({ nodes }, feature, row) {
  const quoted = nodes.buy_count[row] + nodes.sell_count[row] > 0;
  return OF_QUOTES.has(feature) && !quoted ? Number.NaN : nodes[feature][row];
}

/**
 * Return the row of an agent, or -1. Ids ascend.
 * @param {Frame} frame
 * @param {number} agent
 * @returns {number}
 */
export function rowOf({ nodes }, agent) {
  const row = firstAtOrAfter(nodes.agent_id, agent);
  return nodes.agent_id[row] === agent ? row : -1;
}

/**
 * Reads whole columns of a frame, each once a frame, into arrays that are used again for the next.
 * Columns come in many types; what is read from here is always Float64Array, which keeps the loops
 * over it quick.
 */
export class FeatureReader {
  constructor() {
    /** @type {Map<string, {frame: Frame | null, values: Float64Array}>} */
    this.held = new Map();
  }

  /**
   * Return the values of a feature by row, NaN where unknown (see `figureOf`); valid until the next
   * frame is read.
   * @param {Frame} frame
   * @param {Feature} feature
   * @returns {Float64Array}
   */
  read(frame, feature) {
    const { count } = frame.nodes;
    const held = this.#room(feature, count);
    const values = held.values.subarray(0, count);
    if (held.frame === frame) return values;
    held.frame = frame;
    values.set(frame.nodes[feature]);
    if (OF_QUOTES.has(feature)) {
      const buys = this.read(frame, "buy_count");
      const sells = this.read(frame, "sell_count");
      for (let row = 0; row < count; row++) {
        if (buys[row] + sells[row] === 0) values[row] = Number.NaN;
      }
    }
    return values;
  }

  /** @param {Feature} feature @param {number} count */
  #room(feature, count) {
    const held = this.held.get(feature);
    if (held && held.values.length >= count) return held;
    const made = { frame: null, values: new Float64Array(Math.ceil(count * 1.25)) };
    this.held.set(feature, made);
    return made;
  }
}
