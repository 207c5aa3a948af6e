// @ts-check
/**
 * Asks the recording for one moment at a time, and keeps the last wish meanwhile.
 *
 * The recording gives the first frame at or after a tick, and nothing at all where it is not
 * recorded yet. So an ask that is not answered soon makes room for the next wish, and one that is
 * not answered at all is given up; and what lies before a tick takes a search.
 */

/** @typedef {import("../types.js").Frame} Frame */

/** An ask is let be for so long before the next wish takes its place, in milliseconds: twice as
 * long as the last answer took, so that a slow camera shows something to who drags on and on. */
const LEAST_PATIENCE_MS = 150;
const MOST_PATIENCE_MS = 1_000;
const FIRST_PATIENCE_MS = 400;
/** What is not answered for so long is given up. */
export const GIVEN_UP_MS = 5_000;

/**
 * @typedef {object} Wish
 * @property {string} run
 * @property {number} t the first frame at or after this tick
 * @property {Back} [back] it is to be the last one before a tick, if there is one
 */

/**
 * A search for the last frame before a tick, where holes are not known.
 * @typedef {object} Back
 * @property {number} before tick that the frame has to lie before
 * @property {number} first first tick of all
 * @property {number} stride
 * @property {number} [empty] from here to `before` there is none
 * @property {Frame} [found] the last that was found so far
 */

/**
 * Return what to ask for next, after an answer to a search; null: it has come to its end.
 * @param {Wish & {back: Back}} wish
 * @param {Frame} frame the answer
 * @returns {Wish & {back: Back} | null}
 */
export function searchOn({ run, t, back }, frame) {
  const isFound = frame.t < back.before;
  if (isFound && back.empty === undefined) return null; // where it was looked for at first
  const found = isFound ? frame : back.found;
  const empty = isFound ? /** @type {number} */ (back.empty) : t;
  const least = found ? found.t + back.stride : back.first;
  if (least >= empty) return null;
  const middle = Math.floor((least + empty) / 2 / back.stride) * back.stride;
  const farther = back.before - 2 * Math.max(back.stride, back.before - t);
  const next = Math.max(least, found ? middle : farther);
  return { run, t: next, back: { ...back, empty, found } };
}

export class Asking {
  /**
   * @param {object} parts
   * @param {import("../data/replay.js").Replay} parts.replay
   * @param {import("./timers.js").Timers} parts.timers
   * @param {(wish: Wish) => void} parts.onGivenUp
   */
  constructor({ replay, timers, onGivenUp }) {
    this.replay = replay;
    this.timers = timers;
    this.onGivenUp = onGivenUp;
    /** @type {Wish | null} asked of the recording, not here yet */
    this.asked = null;
    /** @type {Wish | null} wished for while something else is on its way */
    this.wished = null;
    this.askedAt = 0;
    this.isOld = false;
    this.patience = FIRST_PATIENCE_MS;
    /** @type {number | undefined} */
    this.ageing = undefined;
    /** @type {number | undefined} */
    this.givingUp = undefined;
  }

  /**
   * Ask for a moment, at once or as soon as what is on its way leaves room.
   * @param {Wish} wish
   */
  want(wish) {
    if (this.asked && !this.isOld) this.wished = wish;
    else this.#ask(wish);
  }

  /**
   * Take the answer to what was asked.
   * @param {Frame} frame
   * @returns {Frame | null} what it has come to; null: it has to be asked for further
   */
  take(frame) {
    const asked = /** @type {Wish} */ (this.asked);
    this.#learn(this.timers.now() - this.askedAt);
    const { back } = asked;
    const next = back && !this.wished ? searchOn({ ...asked, back }, frame) : null;
    if (next) {
      this.#ask(next);
      return null;
    }
    this.end();
    return back?.found && frame.t >= back.before ? back.found : frame;
  }

  /** Take that it is over with what was asked; return what that was. What is wished for stays. */
  end() {
    const { asked } = this;
    this.timers.clearTimeout(this.ageing);
    this.timers.clearTimeout(this.givingUp);
    this.asked = null;
    return asked;
  }

  /** Return what is wished for, as to be done now. */
  nextWish() {
    const { wished } = this;
    this.wished = null;
    return wished;
  }

  /** Do without what was asked and wished for. */
  drop() {
    this.end();
    this.wished = null;
    this.replay.forget();
  }

  /** @param {Wish} wish */
  #ask(wish) {
    this.end();
    this.asked = wish;
    this.wished = null;
    this.askedAt = this.timers.now();
    this.isOld = false;
    this.ageing = this.timers.setTimeout(() => this.#age(), this.patience);
    this.givingUp = this.timers.setTimeout(() => this.onGivenUp(wish), GIVEN_UP_MS);
    this.replay.show(wish.run, wish.t);
  }

  #age() {
    this.isOld = true;
    if (this.wished) this.#ask(this.wished);
  }

  /** @param {number} took */
  #learn(took) {
    this.patience = Math.min(MOST_PATIENCE_MS, Math.max(LEAST_PATIENCE_MS, 2 * took));
  }
}
