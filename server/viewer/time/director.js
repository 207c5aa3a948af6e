// @ts-check
/**
 * Moves the one time cursor, and puts on the screen the moment it stands at.
 *
 * Live, every frame that comes is shown. Away from live, a frame that the page holds is shown at
 * once and others are asked of the recording (time/asking.js). Where playing (time/player.js)
 * reaches the live edge, it goes live.
 */

import { Asking } from "./asking.js";
import { Known } from "./known.js";
import { Player } from "./player.js";
import { firstTick } from "./ticks.js";
import { TIMERS } from "./timers.js";

/** @typedef {import("../types.js").Cursor} Cursor */
/** @typedef {import("../types.js").Director} Director */
/** @typedef {import("../types.js").Frame} Frame */
/** @typedef {import("../types.js").Moment} Moment */
/** @typedef {import("../types.js").Recording} Recording */
/** @typedef {import("../types.js").Status} Status */
/** @typedef {import("./asking.js").Wish} Wish */
/**
 * @template T
 * @typedef {import("../state/observable.js").Observable<T>} Observable
 */

const LEAST_SPEED = 0.25;
const MOST_SPEED = 16;

/** @returns {Cursor} */
export function initialCursor() {
  return { mode: "live", run: null, t: null, playing: true, speed: 1, loop: null, seeking: false };
}

/**
 * @typedef {object} Parts
 * @property {Observable<Cursor>} cursor
 * @property {Observable<Moment | null>} moment
 * @property {Observable<Recording>} recording
 * @property {Observable<Status>} status
 * @property {import("../data/moments.js").Moments} moments
 * @property {import("../data/replay.js").Replay} replay
 * @property {(key: string, values?: Record<string, string | number>) => string} words
 * @property {import("./timers.js").Timers} [timers]
 */

/** @implements {Director} */
export class TimeDirector {
  /** @param {Parts} parts */
  constructor({ cursor, moment, recording, status, moments, replay, words, timers = TIMERS }) {
    this.cursor = cursor;
    this.moment = moment;
    this.status = status;
    this.moments = moments;
    this.replay = replay;
    this.words = words;
    this.known = new Known({ recording, moments });
    this.asking = new Asking({ replay, timers, onGivenUp: (wish) => this.#giveUp(wish) });
    this.player = new Player({
      cursor,
      known: this.known,
      replay,
      timers,
      listener: {
        onFrame: (run, frame) => this.#show(run, frame, "recorded"),
        onLiveEdge: () => this.goLive(),
        onLoop: (run, t) => this.#goTo({ run, t }),
      },
    });
    this.goLive = this.goLive.bind(this);
    this.play = this.play.bind(this);
    this.pause = this.pause.bind(this);
    this.toggle = this.toggle.bind(this);
    this.seek = this.seek.bind(this);
    this.step = this.step.bind(this);
    this.setSpeed = this.setSpeed.bind(this);
    this.setLoop = this.setLoop.bind(this);
  }

  // ---- what comes ---------------------------------------------------------------------------

  /**
   * Take a frame that came live.
   * @param {string} run
   * @param {Frame} frame
   */
  takeLive(run, frame) {
    this.moments.add(run, frame);
    this.known.newest = { run, frame };
    if (this.cursor.get().mode === "live") this.#show(run, frame, "live");
  }

  /**
   * Take a frame of the recording: the one that was asked for, or the next that is played.
   * @param {string} run
   * @param {Frame} frame
   */
  takeRecorded(run, frame) {
    this.moments.add(run, frame);
    const { mode, playing } = this.cursor.get();
    if (mode === "live") return;
    if (!this.asking.asked) {
      if (playing) this.player.takeFrame(run, frame);
      return;
    }
    const answer = this.asking.take(frame);
    if (answer) this.#arrive(run, answer);
  }

  /**
   * Take that the recording has no more frames: what was asked for, or played, is at its end.
   * @param {string} run
   */
  takeEnd(run) {
    const asked = this.asking.end();
    const { mode, playing, t } = this.cursor.get();
    if (mode === "live") return;
    if (this.asking.wished) this.#goOn();
    else if (asked) this.#findNothing(asked);
    else if (playing && t !== null) this.player.takeEnd(run, t);
  }

  /**
   * Take that what was asked for cannot be shown.
   * @param {string} reason
   */
  takeError(reason) {
    this.asking.end();
    if (this.cursor.get().mode === "live") return;
    if (this.asking.wished) this.#goOn();
    else {
      this.player.stop();
      this.cursor.set({ playing: false, seeking: false });
      this.status.set({ replayError: reason });
    }
  }

  /**
   * Take at which pace a run was recorded.
   * @param {string} run
   * @param {number} tickRate ticks a second
   */
  takeRate(run, tickRate) {
    this.known.rates.set(run, tickRate);
  }

  // ---- what the user wishes -------------------------------------------------------------------

  goLive() {
    this.player.stop();
    this.asking.drop();
    this.replay.close();
    this.status.set({ replayError: null });
    this.cursor.set({ mode: "live", playing: true, seeking: false, loop: null });
    const { newest } = this.known;
    if (newest) this.#show(newest.run, newest.frame, "live");
    else {
      this.cursor.set({ run: null, t: null });
      this.moment.set(null);
    }
  }

  pause() {
    this.player.stop();
    this.cursor.set({ mode: "recorded", playing: false });
  }

  play() {
    const { mode, run, t, playing, loop } = this.cursor.get();
    if (mode === "live" || playing || run === null || t === null) return;
    this.cursor.set({ playing: true });
    if (this.asking.asked) return; // it plays on from what is on its way
    if (loop && (t < loop.from || t >= loop.to))
      this.#goTo({ run, t: this.player.startOf(run, loop) });
    else this.player.playOn(run, t);
  }

  toggle() {
    if (this.cursor.get().playing) this.pause();
    else this.play();
  }

  /**
   * @param {string} run
   * @param {number} t
   */
  seek(run, t) {
    if (this.cursor.get().mode === "live") this.cursor.set({ mode: "recorded", playing: false });
    const wanted = this.known.lastTick(run, t);
    this.#goBack(run, wanted, wanted + 1);
  }

  /** @param {number} frames */
  step(frames) {
    const { run, t } = this.cursor.get();
    if (run === null || t === null) return;
    this.pause();
    const extent = this.known.extent(run);
    const wanted = t + frames * extent.stride;
    if (frames > 0) this.#goTo({ run, t: firstTick(extent, wanted) });
    else this.#goBack(run, this.known.lastTick(run, wanted), t);
  }

  /** @param {number} speed */
  setSpeed(speed) {
    this.cursor.set({ speed: Math.min(MOST_SPEED, Math.max(LEAST_SPEED, speed)) });
    this.#adjust();
  }

  /** @param {{from: number, to: number} | null} loop */
  setLoop(loop) {
    this.cursor.set({ loop });
    this.#adjust();
  }

  #adjust() {
    const { mode, playing } = this.cursor.get();
    if (mode === "recorded" && playing && !this.asking.asked) this.player.adjust();
  }

  // ---- asking ---------------------------------------------------------------------------------

  /**
   * Show a moment that the page holds, and ask for another; then go on playing, if it played.
   * @param {Wish} wish
   */
  #goTo(wish) {
    this.player.stop();
    const held = this.moments.at(wish.run, wish.t);
    if (held) {
      this.asking.drop();
      this.#arrive(wish.run, held);
    } else {
      this.cursor.set({ seeking: true });
      this.asking.want(wish);
    }
  }

  /**
   * Show the frame of tick `t`, or the last one before `before`.
   * @param {string} run
   * @param {number} t
   * @param {number} before
   */
  #goBack(run, t, before) {
    const { first, stride } = this.known.extent(run);
    this.#goTo({ run, t, back: { before, first: first ?? 0, stride } });
  }

  /**
   * @param {string} run
   * @param {Frame} frame
   */
  #arrive(run, frame) {
    this.status.set({ replayError: null });
    this.#show(run, frame, "recorded");
    this.#goOn();
  }

  /** Follow the wish that waits; or play on, if it played. */
  #goOn() {
    const wish = this.asking.nextWish();
    const { run, t } = this.cursor.get();
    if (wish) this.#goTo(wish);
    else if (run !== null && t !== null) this.player.playOn(run, t);
  }

  /**
   * Take that the recording has nothing at or after a tick: what lies before it is shown.
   * @param {Wish} wish
   */
  #findNothing({ run, t }) {
    const instead = this.known.insteadOf(run, t);
    if (instead && "frame" in instead) this.#arrive(run, instead.frame);
    else if (instead) this.#goTo({ run, t: instead.t });
    else {
      const hasNone = this.known.run(run)?.firstFrame === null;
      this.takeError(this.words(hasNone ? "seekNoFrames" : "seekNothing", { t }));
    }
  }

  /** @param {Wish} wish */
  #giveUp({ run }) {
    this.replay.close(); // whatever it waits for
    this.takeError(this.words(this.known.run(run)?.current ? "seekNotYet" : "seekNoAnswer"));
  }

  /**
   * @param {string} run
   * @param {Frame} frame
   * @param {"live" | "recorded"} mode
   */
  #show(run, frame, mode) {
    const before = this.moment.get();
    const isNext =
      before?.run === run && frame.t > before.t && frame.t - before.t <= 4 * frame.window.stride;
    this.cursor.set({ run, t: frame.t, seeking: false });
    this.moment.set({ run, t: frame.t, frame, mode, jump: !isNext });
  }
}
