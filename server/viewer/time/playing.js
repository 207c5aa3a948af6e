// @ts-check
/**
 * Plays the frames that the page holds, by the clock: at each moment the newest that is due, so that
 * a page which cannot show them all keeps the pace and leaves some out.
 */

/** @typedef {import("../types.js").Frame} Frame */

/** Between two frames a silence is not played for longer than this. */
const LONGEST_WAIT_MS = 2_000;

/**
 * @typedef {object} Way
 * @property {string} run
 * @property {number} t tick of the frame that is shown
 * @property {number} to tick beyond which it is not played
 * @property {number} stride ticks from one frame to the next
 * @property {number} tickRate ticks to be played a second
 */

/** @typedef {Way & {from: number, since: number, msPerTick: number}} Played */

export class HeldPlayer {
  /**
   * @param {object} parts
   * @param {import("../data/moments.js").Moments} parts.moments
   * @param {import("./timers.js").Timers} parts.timers
   * @param {(run: string, frame: Frame) => void} parts.onFrame
   * @param {(run: string, t: number) => void} parts.onOut the frame that is due now is beyond the
   *   way's end, or not held; `t` is that of the last one
   */
  constructor({ moments, timers, onFrame, onOut }) {
    this.moments = moments;
    this.timers = timers;
    this.onFrame = onFrame;
    this.onOut = onOut;
    /** @type {Played | null} */
    this.way = null;
    /** @type {number | undefined} */
    this.timer = undefined;
  }

  /**
   * Play what follows, if the page holds it.
   * @param {Way} way
   * @returns {boolean} whether it does
   */
  play(way) {
    this.stop();
    if (!this.#goesOn(way)) return false;
    const msPerTick = Math.min(1000 / way.tickRate, LONGEST_WAIT_MS / way.stride);
    this.way = { ...way, from: way.t, since: this.timers.now(), msPerTick };
    this.#wait(this.way);
    return true;
  }

  stop() {
    this.timers.clearTimeout(this.timer);
    this.way = null;
  }

  /**
   * Whether the next frame is held; the end of the way is waited for as well.
   * @param {Way} way
   */
  #goesOn({ run, t, to, stride }) {
    return t + stride > to || this.moments.at(run, t + stride) !== null;
  }

  /** @param {Played} way */
  #wait(way) {
    const due = way.since + (way.t + way.stride - way.from) * way.msPerTick;
    this.timer = this.timers.setTimeout(
      () => this.#step(way),
      Math.max(0, due - this.timers.now()),
    );
  }

  /** @param {Played} way */
  #step(way) {
    const frame = this.#newestDue(way);
    if (frame) {
      way.t = frame.t;
      this.onFrame(way.run, frame);
      if (way !== this.way) return; // it was stopped
      if (this.#goesOn(way)) {
        this.#wait(way);
        return;
      }
    }
    this.stop();
    this.onOut(way.run, way.t);
  }

  /**
   * Return the newest frame that is due, or the next one, for which was waited.
   * @param {Played} way
   */
  #newestDue({ run, t, to, stride, from, since, msPerTick }) {
    const dueT = from + (this.timers.now() - since) / msPerTick;
    /** @type {Frame | null} */
    let newest = null;
    for (let next = t + stride; next <= to; next += stride) {
      /** @type {Frame | null} */
      const frame = newest && next > dueT ? null : this.moments.at(run, next);
      if (!frame) break;
      newest = frame;
    }
    return newest;
  }
}
