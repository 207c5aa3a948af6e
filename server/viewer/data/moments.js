// @ts-check
/**
 * The frames that the page holds: those that came live, also while the cursor stands elsewhere, and
 * those that were looked at. What has not been used for longest goes first.
 */

import { firstAtOrAfter } from "./sorted.js";

/** @typedef {import("../types.js").Frame} Frame */

const MOST_BYTES = 192 * 1024 * 1024;
const MOST_FRAMES = 3_000;
/** What a frame takes beside its columns: views, ids, events. */
const FRAME_BYTES = 8 * 1024;
/** Frames that are never given up for want of room, whatever their size: the newest ones. */
const LEAST_FRAMES = 8;

/** @typedef {{frame: Frame, bytes: number}} Held */

/** The frames of one run: by tick in the order of their last use, and the ticks ascending. */
class HeldRun {
  constructor() {
    /** @type {Map<number, Held>} */
    this.byTick = new Map();
    /** @type {number[]} */
    this.ticks = [];
  }

  get size() {
    return this.ticks.length;
  }

  /** @param {Held} held */
  add(held) {
    const { t } = held.frame;
    const at = this.firstFrom(t);
    if (at === this.ticks.length) this.ticks.push(t);
    else this.ticks.splice(at, 0, t);
    this.byTick.set(t, held);
  }

  /**
   * @param {number} t
   * @returns {Held | undefined} what was held of this tick
   */
  take(t) {
    const held = this.byTick.get(t);
    if (!held) return undefined;
    this.byTick.delete(t);
    this.ticks.splice(this.firstFrom(t), 1);
    return held;
  }

  /**
   * @param {number} t
   * @returns {Frame | null}
   */
  use(t) {
    const held = this.byTick.get(t);
    if (!held) return null;
    this.byTick.delete(t);
    this.byTick.set(t, held);
    return held.frame;
  }

  /** @returns {number | undefined} tick of the frame that was not used for longest */
  get oldest() {
    return this.byTick.keys().next().value;
  }

  /**
   * Return where in `ticks` the first one at or after `t` stands.
   * @param {number} t
   */
  firstFrom(t) {
    return firstAtOrAfter(this.ticks, t);
  }
}

/** Frames by run and tick, bounded by bytes and in number. */
export class Moments {
  /**
   * @param {number} [mostBytes]
   * @param {number} [mostFrames]
   */
  constructor(mostBytes = MOST_BYTES, mostFrames = MOST_FRAMES) {
    this.mostBytes = mostBytes;
    this.mostFrames = mostFrames;
    this.bytes = 0;
    this.frames = 0;
    /** @type {Map<string, HeldRun>} the run used last is the last */
    this.runs = new Map();
  }

  /**
   * Hold a frame.
   * @param {string} run
   * @param {Frame} frame
   */
  add(run, frame) {
    const held = this.runs.get(run) ?? new HeldRun();
    this.runs.delete(run);
    this.runs.set(run, held);
    this.#forget(held, frame.t);
    const bytes = sizeOf(frame);
    held.add({ frame, bytes });
    this.bytes += bytes;
    this.frames += 1;
    this.#makeRoom();
  }

  /**
   * Return the frame of exactly this tick, or null if it is not held.
   * @param {string} run
   * @param {number} t
   * @returns {Frame | null}
   */
  at(run, t) {
    return this.runs.get(run)?.use(t) ?? null;
  }

  /**
   * Return up to `count` held frames of ticks before or at `t`, the oldest first: an agent's way.
   * @param {string} run
   * @param {number} t
   * @param {number} count
   * @returns {Frame[]}
   */
  before(run, t, count) {
    const held = this.runs.get(run);
    if (!held) return [];
    const end = held.firstFrom(t + 1);
    return held.ticks
      .slice(Math.max(0, end - count), end)
      .map((tick) => /** @type {Held} */ (held.byTick.get(tick)).frame);
  }

  /**
   * Return how many frames follow tick `t` without one missing: so far it plays from here.
   * @param {string} run
   * @param {number} t
   * @returns {number}
   */
  countAfter(run, t) {
    const held = this.runs.get(run);
    if (!held) return 0;
    const begin = held.firstFrom(t + 1);
    let [at, last] = [begin, t];
    for (; at < held.ticks.length; at++) {
      const { frame } = /** @type {Held} */ (held.byTick.get(held.ticks[at]));
      if (frame.t - last > frame.window.stride) break;
      last = frame.t;
    }
    return at - begin;
  }

  /** @param {HeldRun} held @param {number} t */
  #forget(held, t) {
    const found = held.take(t);
    if (!found) return;
    this.bytes -= found.bytes;
    this.frames -= 1;
  }

  get #isFull() {
    return this.bytes > this.mostBytes || this.frames > this.mostFrames;
  }

  /** Those of other runs go first, then what was not used for longest of the run used last. */
  #makeRoom() {
    for (const [run, held] of this.runs) {
      const isLast = held === [...this.runs.values()].at(-1);
      const least = isLast ? LEAST_FRAMES : 0;
      while (this.#isFull && held.size > least) {
        this.#forget(held, /** @type {number} */ (held.oldest));
      }
      if (!held.size) this.runs.delete(run);
      if (!this.#isFull) return;
    }
  }
}

/**
 * Return the bytes that a frame takes, nearly: those of its arrays, and some.
 * @param {Frame} frame
 * @returns {number}
 */
function sizeOf(frame) {
  let bytes = FRAME_BYTES;
  const buffers = new Set();
  for (const value of [...Object.values(frame.nodes), ...Object.values(frame.edges)]) {
    if (ArrayBuffer.isView(value) && !buffers.has(value.buffer)) {
      buffers.add(value.buffer);
      bytes += value.buffer.byteLength;
    }
  }
  return bytes;
}
