// @ts-check
/** How many ticks a second come. */

/** It is taken anew so often. */
const EVERY_MS = 2_000;

export class Pace {
  constructor() {
    /** @type {{t: number, at: number} | null} */
    this.from = null;
    /** @type {number | null} ticks a second, as they came of late */
    this.value = null;
  }

  /**
   * Take that a tick has come.
   * @param {number} t
   * @param {number} now milliseconds
   * @returns {number | null} the pace
   */
  take(t, now) {
    const { from } = this;
    if (!from || t < from.t) this.from = { t, at: now };
    else if (now - from.at >= EVERY_MS) {
      this.value = (1000 * (t - from.t)) / (now - from.at) || null;
      this.from = { t, at: now };
    }
    return this.value;
  }
}
