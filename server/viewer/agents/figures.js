// @ts-check
/** Figures of agents, by their id, and in words. */

import { figureOf, rowOf } from "../data/figures.js";
import { plainText } from "../people/numbers.js";

/** @typedef {import("../types.js").Frame} Frame */
/** @typedef {import("../types.js").Feature} Feature */

/** Frames have no more digits after the point. */
const MOST_DIGITS = 6;

/**
 * Return a feature of an agent; NaN where it is unknown, or the agent is not in the frame.
 * @param {Frame | null} frame
 * @param {number} id
 * @param {Feature} feature
 * @returns {number}
 */
export function figureOfAgent(frame, id, feature) {
  const row = frame ? rowOf(frame, id) : -1;
  return frame && row >= 0 ? figureOf(frame, feature, row) : Number.NaN;
}

/**
 * Write a figure as it stands in the message, up to 6 decimals.
 * @param {number} value
 * @param {import("../people/text.js").Text} text
 * @returns {string}
 */
export function figureText(value, text) {
  if (Number.isNaN(value)) return text.t("unknown");
  return plainText(text.language, value, MOST_DIGITS);
}

/**
 * Write a difference, with its sign.
 * @param {number} now
 * @param {number} then
 * @param {import("../people/text.js").Text} text
 * @returns {string}
 */
export function differenceText(now, then, text) {
  const difference = now - then;
  if (Number.isNaN(difference)) return text.t("unknown");
  const words = figureText(Math.abs(difference), text);
  if (Number(words) === 0) return "0";
  return `${difference < 0 ? "−" : "+"}${words}`;
}
