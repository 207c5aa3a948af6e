// @ts-check
/** Numbers and times as text, quickly: a formatter is made once, since making one costs most. */

/** Ways to write a number, given digits of the fraction. */
const MANNERS = {
  exact: (/** @type {number} */ digits) => ({
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }),
  rounded: (/** @type {number} */ digits) => ({ maximumFractionDigits: digits }),
  plain: (/** @type {number} */ digits) => ({ maximumFractionDigits: digits, useGrouping: false }),
  short: (/** @type {number} */ digits) => ({
    notation: /** @type {const} */ ("compact"),
    maximumFractionDigits: digits,
  }),
};

/** @type {Map<string, Intl.NumberFormat>} */
const numbers = new Map();
/** @type {Map<string, Intl.DateTimeFormat>} */
const times = new Map();
/** @type {Map<string, string>} what was made of a time: the same few are asked for again and again */
const clocks = new Map();
const MOST_CLOCKS = 1_000;

/**
 * @param {keyof typeof MANNERS} manner
 * @param {string} language
 * @param {number} value
 * @param {number} digits of the fraction
 * @returns {string}
 */
function inManner(manner, language, value, digits) {
  const key = `${manner} ${language} ${digits}`;
  let format = numbers.get(key);
  if (!format) {
    format = new Intl.NumberFormat(language, MANNERS[manner](digits));
    numbers.set(key, format);
  }
  return format.format(value === 0 ? 0 : value); // not "-0"
}

/**
 * @param {string} language
 * @param {number} value NaN is a dash
 * @param {number} [digits] after the point, always so many
 * @returns {string}
 */
export function numberText(language, value, digits = 0) {
  return Number.isNaN(value) ? "–" : inManner("exact", language, value, digits);
}

/**
 * Return a number with no more digits than it has.
 * @param {string} language
 * @param {number} value
 * @param {number} digits after the point at most
 * @returns {string}
 */
export function roundedText(language, value, digits) {
  return inManner("rounded", language, value, digits);
}

/**
 * Return a number with no more digits than it has, and nothing between thousands.
 * @param {string} language
 * @param {number} value
 * @param {number} digits after the point at most
 * @returns {string}
 */
export function plainText(language, value, digits) {
  return inManner("plain", language, value, digits);
}

/**
 * Return a number in few characters: 12.5K, 3.2M.
 * @param {string} language
 * @param {number} value
 * @param {number} digits after the point, where the number is written out
 * @returns {string}
 */
export function shortNumber(language, value, digits) {
  if (Math.abs(value) < 100_000) return numberText(language, value, digits);
  return inManner("short", language, value, 2);
}

/**
 * Return a moment of the clock, in the time zone of the reader.
 * @param {string} language
 * @param {string} iso
 * @returns {string} the text as it came, if it is not a time
 */
export function clockText(language, iso) {
  const key = `${language} ${iso}`;
  const known = clocks.get(key);
  if (known !== undefined) return known;
  if (clocks.size >= MOST_CLOCKS) clocks.clear();
  const text = clockOf(language, iso);
  clocks.set(key, text);
  return text;
}

/**
 * @param {string} language
 * @param {string} iso
 */
function clockOf(language, iso) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  let format = times.get(language);
  if (!format) {
    format = new Intl.DateTimeFormat(language, {
      month: "short",
      day: "numeric",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      hourCycle: "h23",
    });
    times.set(language, format);
  }
  return format.format(at);
}
