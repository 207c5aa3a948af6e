// @ts-check
/** What can be chosen, and what is chosen at first. */

import { MEASURE_KEYS } from "./measures.js";

/** @typedef {import("../types.js").Settings} Settings */
/** @typedef {import("../types.js").Feature} Feature */
/** @typedef {import("../types.js").SeriesKey} SeriesKey */

/** @type {readonly Feature[]} In the order in which they are offered. */
export const FEATURES = Object.freeze([
  "quote_price_mean",
  "quote_price_std",
  "quote_dist_to_mid_mean",
  "match_rate",
  "match_count",
  "buy_count",
  "sell_count",
  "none_count",
  "experience_start",
  "experience_end",
  "experience_delta",
  "agent_id",
]);

/** @type {readonly SeriesKey[]} */
export const SERIES = Object.freeze([
  "price_norm",
  "volatility",
  "liquidity",
  "imbalance",
  "N",
  "matches_n",
  "avg_exp",
]);

/** @type {readonly import("../types.js").ChartKey[]} All that charts can show, as they are laid out. */
export const CHARTS = Object.freeze([...SERIES, ...MEASURE_KEYS]);

/** Agents that are selected at most: the address of the page carries them. */
export const MOST_SELECTED = 100;

/** @type {readonly number[]} */
export const SPEEDS = Object.freeze([0.25, 0.5, 1, 2, 4, 8, 16]);

/**
 * @param {"en" | "zh"} language
 * @returns {Settings}
 */
export function initialSettings(language) {
  return {
    layout: "axes",
    x: "quote_price_mean",
    y: "match_rate",
    color: "dominant_side",
    size: "match_count",
    types: ["match", "quote_proximity"],
    minWeight: 0,
    sides: ["buy", "sell", "none"],
    ranges: {},
    linkedOnly: false,
    selection: [],
    trails: true,
    compare: null,
    panel: "inspector",
    charts: [...SERIES],
    language,
  };
}
