// @ts-check
/**
 * The frames that the page holds: those that came live, also while the cursor stands elsewhere, and
 * those that were looked at. What has not been used for longest goes first.
 */

/** @typedef {import("../types.js").Frame} Frame */

const MOST_BYTES = 192 * 1024 * 1024;
/** Frames that are never given up for want of room, whatever their size: the newest ones. */
const LEAST_FRAMES = 8;

/** @typedef {{frame: Frame, bytes: number}} Held */

/** Frames by run and tick, bounded by bytes. */
export class Moments {
  /** @param {number} [mostBytes] */
  constructor(mostBytes = MOST_BYTES) {
    this.mostBytes = mostBytes;
    this.bytes = 0;
    /** @type {Map<string, Map<number, Held>>} by run; of a run in the order of their last use */
    this.runs = new Map();
  }

  /**
   * Hold a frame.
   * @param {string} run
   * @param {Frame} frame
   */
  add(run, frame) {
    const held = this.runs.get(run) ?? new Map();
    this.runs.delete(run); // and set again: the run used last is the last
    this.runs.set(run, held);
    this.#forget(held, frame.t);
    const bytes = sizeOf(frame);
    held.set(frame.t, { frame, bytes });
    this.bytes += bytes;
    this.#makeRoom();
  }

  /**
   * Return the frame of exactly this tick, or null if it is not held.
   * @param {string} run
   * @param {number} t
   * @returns {Frame | null}
   */
  at(run, t) {
    const held = this.runs.get(run);
    const found = held?.get(t);
    if (!held || !found) return null;
    held.delete(t);
    held.set(t, found);
    return found.frame;
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
    const ticks = [...held.keys()].filter((tick) => tick <= t).sort((a, b) => a - b);
    return ticks.slice(-count).map((tick) => /** @type {Held} */ (held.get(tick)).frame);
  }

  /** @param {Map<number, Held>} held @param {number} t */
  #forget(held, t) {
    const found = held.get(t);
    if (!found) return;
    held.delete(t);
    this.bytes -= found.bytes;
  }

  #makeRoom() {
    for (const [run, held] of this.runs) {
      for (const t of held.keys()) {
        if (this.bytes <= this.mostBytes || held.size <= LEAST_FRAMES) break;
        this.#forget(held, t);
      }
      if (this.bytes <= this.mostBytes) return;
      if (run !== [...this.runs.keys()].at(-1)) {
        for (const t of [...held.keys()]) this.#forget(held, t);
        this.runs.delete(run);
      }
    }
  }
}

/**
 * Return the bytes that the arrays of a frame take.
 * @param {Frame} frame
 * @returns {number}
 */
function sizeOf(frame) {
  let bytes = 0;
  const buffers = new Set();
  for (const value of [...Object.values(frame.nodes), ...Object.values(frame.edges)]) {
    if (ArrayBuffer.isView(value) && !buffers.has(value.buffer)) {
      buffers.add(value.buffer);
      bytes += value.buffer.byteLength;
    }
  }
  return bytes;
}
