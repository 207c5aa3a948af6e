// @ts-check
/** How often what comes live is drawn. */

const REST = Object.freeze({ least: 100, most: 1_000, part: 0.25 });

/**
 * Return how long to rest between two drawings of what comes live: a part of the time that a pixel
 * stands for, since before that little can be seen of it.
 * @param {number} ticks that a pixel stands for
 * @param {number} rate ticks a second
 * @returns {number} milliseconds
 */
export function restFor(ticks, rate) {
  return Math.min(REST.most, Math.max(REST.least, (REST.part * 1000 * ticks) / rate));
}
