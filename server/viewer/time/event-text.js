// @ts-check
/** What a mark of events says. */

import { numberText } from "../people/numbers.js";

/** Digits of a burst's value, a count of matches, and of a shock's, a logarithmic return. */
const DIGITS = Object.freeze({ burst: 0, shock: 6 });

/**
 * @param {import("../people/text.js").Text} text
 * @param {import("./events.js").Mark} mark
 * @returns {string}
 */
export function eventText(text, { type, count, strongest }) {
  const { language } = text;
  const words = text.t(`${type}Tip`, {
    t: numberText(language, strongest.t),
    value: numberText(language, strongest.value, DIGITS[type]),
    score: numberText(language, strongest.score, 1),
  });
  return count === 1 ? words : `${text.t(`${type}Many`, { count })} ${words}`;
}
