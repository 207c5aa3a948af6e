// @ts-check
/** What charts are called. */

import { isMeasure, MEASURES, partsOf } from "../state/measures.js";

/** @typedef {import("../types.js").ChartKey} ChartKey */

const WHOLE_NUMBERS = new Set(["N", "matches_n", "components", "largest_component", "communities"]);

/**
 * @param {import("../people/text.js").Text} text
 * @param {ChartKey} key
 * @returns {string} with its unit, unless it is plain
 */
export function chartName(text, key) {
  if (!isMeasure(key)) return text.t(key);
  const { graph, measure } = partsOf(key);
  const words = { measure: text.t(measure), graph: text.t(`${graph}Graph`) };
  const unit = MEASURES[measure];
  return unit === null
    ? text.t("measureOf", words)
    : text.t("measureIn", { ...words, unit: text.t(unit) });
}

/** @param {ChartKey} key */
export function isWhole(key) {
  return WHOLE_NUMBERS.has(isMeasure(key) ? partsOf(key).measure : key);
}
