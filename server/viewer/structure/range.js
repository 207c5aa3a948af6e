// @ts-check
/** Ranges of numbers on axes and colours: steady from frame to frame, with ticks at round numbers. */

/** Room at either end of an axis, in shares of its range: the unknown stands in it. */
export const AXIS_ROOM = 0.05;
/** What of the room must be left before the range is made anew. */
const KEPT_ROOM = 0.4;
/** It is made anew as well when a new one would be shorter than this share of it. */
const LEAST_FILL = 0.5;

/** A range that holds all values seen last, and changes seldom. */
export class SteadyRange {
  /** @param {number} [room] at either end, in shares of the values' range */
  constructor(room = 0) {
    this.room = room;
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
    [this.low, this.high] = around(least, most, this.room);
    return true;
  }

  /** @param {number} least @param {number} most */
  #suits(least, most) {
    const span = this.high - this.low;
    const room = this.room * KEPT_ROOM * span;
    if (!(least >= this.low + room && most <= this.high - room)) return false;
    const [low, high] = around(least, most, this.room);
    return high - low >= LEAST_FILL * span;
  }
}

/**
 * Return a range with room around the values, whose ends are round numbers.
 * @param {number} least
 * @param {number} most
 * @param {number} room
 * @returns {[number, number]}
 */
function around(least, most, room) {
  const alone = most > least ? 0 : Math.abs(least) / 20 || 0.5;
  const span = most - least + 2 * alone;
  const margin = alone + room * span;
  const step = niceStep(span / 20);
  return [Math.floor((least - margin) / step) * step, Math.ceil((most + margin) / step) * step];
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
  const step = niceStep((0.7 * (high - low)) / Math.max(1, count));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const values = Array.from({ length: last - first + 1 }, (_, k) => (first + k) * step || 0);
  return { values, digits };
}
