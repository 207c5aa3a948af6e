// @ts-check
/**
 * Plays a run: the frames that the page holds as far as they go (time/playing.js), then what the
 * recording streams, until memory goes on; round and round within a loop.
 */

import { HeldPlayer } from "./playing.js";
import { firstTick } from "./ticks.js";

/** @typedef {import("../types.js").Cursor} Cursor */
/** @typedef {import("../types.js").Frame} Frame */
/** @typedef {NonNullable<Cursor["loop"]>} Loop */

/**
 * @typedef {object} PlayerListener
 * @property {(run: string, frame: Frame) => void} onFrame to be shown now
 * @property {() => void} onLiveEdge there is nothing to play that is not the present
 * @property {(run: string, t: number) => void} onLoop it goes on at the start of the loop
 */

export class Player {
  /**
   * @param {object} parts
   * @param {import("../state/observable.js").Observable<Cursor>} parts.cursor
   * @param {import("./known.js").Known} parts.known
   * @param {import("../data/replay.js").Replay} parts.replay
   * @param {import("./timers.js").Timers} parts.timers
   * @param {PlayerListener} parts.listener
   */
  constructor({ cursor, known, replay, timers, listener }) {
    this.cursor = cursor;
    this.known = known;
    this.replay = replay;
    this.listener = listener;
    this.held = new HeldPlayer({
      moments: known.moments,
      timers,
      onFrame: (run, frame) => this.#show(run, frame),
      onOut: (run, t) => this.#afterHeld(run, t),
    });
  }

  /**
   * Play what follows tick `t`, if it is to be played.
   * @param {string} run
   * @param {number} t
   */
  playOn(run, t) {
    const { mode, playing, speed, loop } = this.cursor.get();
    if (mode === "live" || !playing) return;
    const { stride } = this.known.extent(run);
    const tickRate = this.known.rate(run) * speed;
    if (!loop && this.known.isLiveEdge(run, t)) this.listener.onLiveEdge();
    else if (!this.held.play({ run, t, to: this.#end(run), stride, tickRate })) {
      this.replay.play(run, t + 1, speed);
    }
  }

  stop() {
    this.held.stop();
    this.replay.pause();
  }

  /** Follow another speed or loop. */
  adjust() {
    const { way } = this.held;
    if (way) this.playOn(way.run, way.t);
    else this.replay.setSpeed(this.cursor.get().speed);
  }

  /**
   * Take a frame that the recording streams.
   * @param {string} run
   * @param {Frame} frame
   */
  takeFrame(run, frame) {
    const { loop } = this.cursor.get();
    if (loop && frame.t > loop.to) {
      this.#repeat(run, loop);
      return;
    }
    this.#show(run, frame);
    if (this.known.moments.at(run, frame.t + this.known.extent(run).stride)) {
      this.replay.pause();
      this.playOn(run, frame.t);
    }
  }

  /**
   * Take that the recording has no more: memory may, of what is not recorded.
   * @param {string} run
   * @param {number} t tick of the frame that is shown
   */
  takeEnd(run, t) {
    const { loop } = this.cursor.get();
    const next = this.known.isLive(run) ? this.known.heldAfter(run, t) : undefined;
    if (loop && (!next || next.t > loop.to)) this.#repeatBefore(run, t, loop);
    else if (next) {
      this.#show(run, next);
      this.playOn(run, next.t);
    } else if (this.known.isLive(run)) this.listener.onLiveEdge();
    else this.cursor.set({ playing: false });
  }

  /**
   * Return where a loop begins.
   * @param {string} run
   * @param {Loop} loop
   */
  startOf(run, { from }) {
    return firstTick(this.known.extent(run), from);
  }

  /**
   * @param {string} run
   * @param {Frame} frame
   */
  #show(run, frame) {
    this.listener.onFrame(run, frame);
    if (!this.cursor.get().loop && this.known.isLiveEdge(run, frame.t)) this.listener.onLiveEdge();
  }

  /**
   * Go on where the page's frames end, or the loop does.
   * @param {string} run
   * @param {number} t
   */
  #afterHeld(run, t) {
    const { loop } = this.cursor.get();
    if (loop && t + this.known.extent(run).stride > this.#end(run)) this.#repeat(run, loop);
    else this.playOn(run, t);
  }

  /**
   * @param {string} run
   * @param {Loop} loop
   */
  #repeat(run, loop) {
    this.listener.onLoop(run, this.startOf(run, loop));
  }

  /**
   * Repeat a loop, if some of it lies before its end: else it would stand still, and call it playing.
   * @param {string} run
   * @param {number} t
   * @param {Loop} loop
   */
  #repeatBefore(run, t, loop) {
    if (this.startOf(run, loop) < t) this.#repeat(run, loop);
    else this.cursor.set({ playing: false });
  }

  /**
   * Return the tick beyond which it is not played.
   * @param {string} run
   */
  #end(run) {
    const { loop } = this.cursor.get();
    if (!loop) return Number.POSITIVE_INFINITY;
    const { last } = this.known.extent(run);
    return last === null || this.known.isLive(run) ? loop.to : Math.min(loop.to, last);
  }
}
