// @ts-check
/** Features: their units, their extent over the nodes, and how their figures are written. */

/** @typedef {import("../types.js").Feature} Feature */

/** @type {Record<Feature, string>} Key of the unit's words; empty where there is none. */
export const UNITS = {
  quote_price_mean: "unitPrice",
  quote_price_std: "unitPrice",
  quote_dist_to_mid_mean: "unitShareOfMid",
  match_rate: "unitPerTick",
  match_count: "unitInWindow",
  buy_count: "unitTicks",
  sell_count: "unitTicks",
  none_count: "unitTicks",
  experience_start: "",
  experience_end: "",
  experience_delta: "",
  agent_id: "",
};

/**
 * Return the least and the greatest known value; both NaN if none is known.
 * @param {Float64Array} values
 * @returns {[number, number]}
 */
export function extent(values) {
  let least = Number.NaN;
  let most = Number.NaN;
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    if (!(value >= least)) least = Number.isNaN(value) ? least : value;
    if (!(value <= most)) most = Number.isNaN(value) ? most : value;
  }
  return [least, most];
}

/**
 * Return digits of the fraction that write a number with six significant ones; frames have six
 * decimals at most.
 * @param {number} value
 * @returns {number}
 */
export function digitsOf(value) {
  if (value === 0 || !Number.isFinite(value)) return 0;
  return Math.min(6, Math.max(0, 5 - Math.floor(Math.log10(Math.abs(value)))));
}

/**
 * Write a value of a feature for reading.
 * @param {import("../people/text.js").Text} text
 * @param {number} value
 * @returns {string}
 */
export function written(text, value) {
  return Number.isNaN(value) ? text.t("unknownFigure") : text.number(value, digitsOf(value));
}
