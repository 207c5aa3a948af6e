// @ts-check
/** Ranges of numbers on axes and colours: steady from frame to frame, with ticks at round numbers. */

/** Room at either end, in shares of the range: what is unknown stands in it, apart from all values. */
const PADDING = 0.05;
/** Values come this near to the ends before the range is made anew. */
const LEAST_PADDING = 0.02;
/** It is made anew as well when the values fill less than this. */
const LEAST_FILL = 0.5;

/** A range that holds all values seen last, and changes seldom. */
export class SteadyRange {
  constructor() {
    this.low = Number.NaN;
    this.high = Number.NaN;
  }

  /** Forget the range: the next values make it. */
  reset() {
    this.low = Number.NaN;
    this.high = Number.NaN;
  }

  /**
   * Make the range hold these values. Without known ones (NaN) it stays, or is 0 to 1.
   * @param {number} least
   * @param {number} most
   * @returns {boolean} it has changed
   */
  hold(least, most) {
    if (Number.isNaN(least) || Number.isNaN(most)) {
      if (Number.isFinite(this.low)) return false;
      [this.low, this.high] = [0, 1];
      return true;
    }
    if (this.#suits(least, most)) return false;
    [this.low, this.high] = around(least, most);
    return true;
  }

  /** @param {number} least @param {number} most */
  #suits(least, most) {
    const span = this.high - this.low;
    const room = LEAST_PADDING * span;
    if (!(least >= this.low + room && most <= this.high - room)) return false;
    const [low, high] = around(least, most);
    return high - low >= LEAST_FILL * span;
  }
}

/**
 * Return a range with room around the values, whose ends are round numbers.
 * @param {number} least
 * @param {number} most
 * @returns {[number, number]}
 */
function around(least, most) {
  const span = most > least ? most - least : Math.abs(least) / 10 || 1;
  const middle = (least + most) / 2;
  const half = Math.max((most - least) / 2, span / 2) * (1 + 2 * PADDING);
  const step = niceStep(span / 20);
  return [Math.floor((middle - half) / step) * step, Math.ceil((middle + half) / step) * step];
}

/**
 * Return the least of 1, 2, 5 times a power of ten that is not below `rough`.
 * @param {number} rough more than 0
 * @returns {number}
 */
export function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  const share = rough / power;
  if (share <= 1) return power;
  if (share <= 2) return 2 * power;
  return share <= 5 ? 5 * power : 10 * power;
}

/**
 * Return round numbers within a range, about `count` of them, and the digits of the fraction that
 * tell one from the next.
 * @param {number} low
 * @param {number} high
 * @param {number} count
 * @returns {{values: number[], digits: number}}
 */
export function ticks(low, high, count) {
  if (!(high > low)) return { values: [], digits: 0 };
  const step = niceStep((high - low) / Math.max(1, count));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const values = Array.from({ length: last - first + 1 }, (_, k) => (first + k) * step || 0);
  return { values, digits };
}
