// @ts-check
/** Straight scales between values and pixels, round steps on them, and ranges that keep still. */

/** A straight scale: values from … to lie on pixels start … end. */
export class Scale {
  /**
   * @param {number} from
   * @param {number} to a scale of no length is taken for one of length 1
   * @param {number} start
   * @param {number} end
   */
  constructor(from, to, start, end) {
    this.from = from;
    this.to = to;
    this.start = start;
    this.end = end;
    this.factor = (end - start) / (to - from || 1);
  }

  /** @param {number} value */
  at(value) {
    return this.start + (value - this.from) * this.factor;
  }

  /** @param {number} place */
  valueAt(place) {
    return this.from + (place - this.start) / (this.factor || 1);
  }
}

/**
 * Return the least of 1, 2 and 5 times a power of ten that divides a length into at most `most`
 * parts.
 * @param {number} length above 0
 * @param {number} most
 * @returns {number}
 */
export function niceStep(length, most) {
  const least = length / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(least));
  const found = [1, 2, 5].find((factor) => factor * power >= least * (1 - 1e-9));
  return (found ?? 10) * power;
}

/**
 * Return the multiples of a round step from `from` to `to`, both included.
 * @param {number} from
 * @param {number} to
 * @param {number} most about so many
 * @param {number} [leastStep] 1 for ticks, which have no parts
 * @returns {{step: number, values: number[]}}
 */
export function niceValues(from, to, most, leastStep = 0) {
  const length = to - from;
  if (!(length > 0)) return { step: leastStep || 1, values: [from] };
  const step = Math.max(niceStep(length, most), leastStep);
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.floor(to / step + 1e-9);
  const values = Array.from(
    { length: Math.max(0, last - first + 1) },
    (_, n) => (first + n) * step,
  );
  return { step, values };
}

/**
 * Return a range a little larger than min … max whose ends are round, so that it does not change
 * with every new value. Of nothing (NaN) it is 0 … 1.
 * @param {number} min
 * @param {number} max
 * @returns {[number, number]}
 */
export function steadyRange(min, max) {
  if (!(min <= max)) return [0, 1];
  const length = max - min || Math.abs(max) * 0.1 || 1;
  const step = niceStep(length, 8);
  const margin = max > min ? 0.04 * length : length / 2;
  return [Math.floor((min - margin) / step) * step, Math.ceil((max + margin) / step) * step];
}

/**
 * Return how many digits after the point tell values apart that lie `step` from each other.
 * @param {number} step
 * @returns {number} 0 to 9
 */
export function digitsOf(step) {
  if (!(step > 0) || step >= 1) return 0;
  return Math.min(9, Math.ceil(-Math.log10(step) - 1e-9));
}
