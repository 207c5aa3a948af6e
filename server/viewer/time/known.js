// @ts-check
/** What the director knows of runs: where they have frames, at which pace, what of them is held. */

import { extentOf, lastTick } from "./ticks.js";

/** @typedef {import("../types.js").Frame} Frame */
/** @typedef {import("../types.js").Run} Run */

const UNKNOWN_RATE = 100;

export class Known {
  /**
   * @param {object} parts
   * @param {import("../state/observable.js").Observable<import("../types.js").Recording>} parts.recording
   * @param {import("../data/moments.js").Moments} parts.moments
   */
  constructor({ recording, moments }) {
    this.recording = recording;
    this.moments = moments;
    /** @type {{run: string, frame: Frame} | null} the newest that came live */
    this.newest = null;
    /** @type {Map<string, number>} ticks a second at which runs were recorded, as measured */
    this.rates = new Map();
  }

  /** @param {string} run @returns {Run | undefined} */
  run(run) {
    return this.recording.get().runs.find((known) => known.run === run);
  }

  /** @param {string} run */
  extent(run) {
    return extentOf(this.run(run), this.isLive(run) ? this.newestTick : null);
  }

  /** @param {string} run ticks a second */
  rate(run) {
    return this.rates.get(run) ?? this.run(run)?.tickRate ?? UNKNOWN_RATE;
  }

  get newestTick() {
    return this.newest?.frame.t ?? Number.NEGATIVE_INFINITY;
  }

  /** @param {string} run */
  isLive(run) {
    return this.newest?.run === run;
  }

  /**
   * Whether there is nothing after a tick yet.
   * @param {string} run
   * @param {number} t
   */
  isLiveEdge(run, t) {
    return this.isLive(run) && t >= this.newestTick;
  }

  /**
   * Return the last frame that the page holds at or before a tick.
   * @param {string} run
   * @param {number} t
   */
  heldBefore(run, t) {
    return this.moments.before(run, t, 1).at(-1);
  }

  /**
   * Return the first frame that the page holds after a tick.
   * @param {string} run
   * @param {number} t
   */
  heldAfter(run, t) {
    const held = this.moments.before(run, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    return held.find((frame) => frame.t > t);
  }

  /**
   * Return what to show of a run that has nothing recorded at or after a tick: a frame that is held,
   * or the tick of one that is recorded; null: there is neither.
   * @param {string} run
   * @param {number} t
   * @returns {{frame: Frame} | {t: number} | null}
   */
  insteadOf(run, t) {
    const { last } = this.extent(run);
    const frame = this.heldBefore(run, t);
    if (last !== null && last < t && last > (frame?.t ?? Number.NEGATIVE_INFINITY)) {
      return { t: last };
    }
    return frame ? { frame } : null;
  }

  /**
   * Return the tick of the last frame at or before `t`: of the recording, or held where that has a
   * hole.
   * @param {string} run
   * @param {number} t
   */
  lastTick(run, t) {
    const recorded = lastTick(this.extent(run), t);
    return Math.max(recorded, this.heldBefore(run, t)?.t ?? recorded);
  }
}
