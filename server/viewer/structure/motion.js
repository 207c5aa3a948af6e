// @ts-check
/** How far the nodes have gone on their way, and how long the way takes. */

/** Milliseconds. Frames that come further apart than `apart` are steps, not a flow. */
const FLOW = { apart: 1_200, step: 280, margin: 1.1 };
export const CHANGE = Object.freeze({ filter: 180, layout: 420 });

/** The way from one picture to the next. */
export class Motion {
  constructor() {
    this.began = 0;
    this.duration = 0;
    this.eased = false;
    this.arrived = 0;
    this.between = 100;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
  }

  /** The user wants nothing to move. */
  get still() {
    return this.calm.matches;
  }

  /**
   * Return how long the way to a moment that has come now should take: about until the next comes.
   * @param {number} now
   * @returns {number} milliseconds
   */
  flow(now) {
    const passed = now - this.arrived;
    this.arrived = now;
    if (passed > FLOW.apart) return FLOW.step;
    this.between += (passed - this.between) / 4;
    return this.between * FLOW.margin;
  }

  /**
   * @param {number} now
   * @param {number} duration
   * @param {boolean} [eased] slow at both ends
   */
  begin(now, duration, eased = false) {
    this.began = now;
    this.duration = this.still ? 0 : duration;
    this.eased = eased;
  }

  /** @param {number} now @returns {number} share of the way, 0 to 1 */
  share(now) {
    if (this.duration <= 0) return 1;
    const share = Math.min(1, Math.max(0, (now - this.began) / this.duration));
    return this.eased ? share * share * (3 - 2 * share) : share;
  }
}
