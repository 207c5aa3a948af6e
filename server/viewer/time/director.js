// @ts-check
/**
 * Moves the one time cursor, and puts on the screen the moment it stands at.
 *
 * Live, every frame that comes is shown. Away from live, a frame that the page holds is shown at
 * once and others are asked of the recording; while one is on its way only the last wish is kept.
 * It plays from the page's memory as far as that goes, and then from the recording; where playing
 * reaches the live edge, it goes live.
 */

/** @typedef {import("../types.js").Cursor} Cursor */
/** @typedef {import("../types.js").Director} Director */
/** @typedef {import("../types.js").Frame} Frame */
/** @typedef {import("../types.js").Moment} Moment */
/** @typedef {import("../types.js").Recording} Recording */
/** @typedef {import("../types.js").Run} Run */
/** @typedef {import("../types.js").Status} Status */
/**
 * @template T
 * @typedef {import("../state/observable.js").Observable<T>} Observable
 */

const LEAST_SPEED = 0.25;
const MOST_SPEED = 16;
/** Between two frames a silence is not played for longer than this. */
const LONGEST_WAIT_MS = 2_000;

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
 */

/** @implements {Director} */
export class TimeDirector {
  /** @param {Parts} parts */
  constructor({ cursor, moment, recording, status, moments, replay }) {
    this.cursor = cursor;
    this.moment = moment;
    this.recording = recording;
    this.status = status;
    this.moments = moments;
    this.replay = replay;
    /** @type {{run: string, frame: Frame} | null} the newest that came live */
    this.newest = null;
    /** @type {{run: string, t: number} | null} asked of the recording, not here yet */
    this.asked = null;
    /** @type {{run: string, t: number} | null} wished for while something else is on its way */
    this.wished = null;
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
    this.newest = { run, frame };
    if (this.cursor.get().mode === "live") this.#show(run, frame, "live");
  }

  /**
   * Take a frame of the recording.
   * @param {string} run
   * @param {Frame} frame
   */
  takeRecorded(run, frame) {
    this.moments.add(run, frame);
    const { mode, playing } = this.cursor.get();
    if (mode === "live") return;
    if (this.asked) {
      this.asked = null;
      this.status.set({ replayError: null });
      this.#show(run, frame, "recorded");
      this.#followWish();
    } else if (playing) {
      this.#show(run, frame, "recorded");
      this.#afterPlayed(run, frame.t);
    }
  }

  /**
   * Take that the recording has no more frames: what was asked for, or played, is at its end.
   * @param {string} run
   */
  takeEnd(run) {
    const asked = this.asked;
    this.asked = null;
    if (this.cursor.get().mode === "live") return;
    if (this.newest?.run === run && (asked || this.cursor.get().playing)) {
      this.#atLiveEdge(this.newest.frame);
      return;
    }
    const last = this.#run(run)?.lastFrame ?? null;
    if (asked && last !== null && last < asked.t) this.#ask(run, last);
    else this.cursor.set({ playing: false, seeking: false });
  }

  /**
   * Take that what was asked for cannot be shown.
   * @param {string} reason
   */
  takeError(reason) {
    this.asked = null;
    this.wished = null;
    if (this.cursor.get().mode === "live") return;
    this.cursor.set({ playing: false, seeking: false });
    this.status.set({ replayError: reason });
  }

  // ---- what the user wishes -------------------------------------------------------------------

  goLive() {
    this.#stopPlaying();
    this.replay.close();
    this.asked = this.wished = null;
    this.status.set({ replayError: null });
    this.cursor.set({ mode: "live", playing: true, seeking: false, loop: null });
    if (this.newest) this.#show(this.newest.run, this.newest.frame, "live");
  }

  pause() {
    this.#stopPlaying();
    this.cursor.set({ mode: "recorded", playing: false });
  }

  play() {
    const { mode, run, t, playing } = this.cursor.get();
    if (mode === "live" || playing || run === null || t === null) return;
    this.cursor.set({ playing: true });
    const { loop } = this.cursor.get();
    if (loop && (t < loop.from || t >= loop.to)) this.seek(run, loop.from);
    else this.#playOn(run, t);
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
    this.#stopPlaying();
    const wanted = this.#frameTick(run, t);
    if (this.cursor.get().mode === "live") this.cursor.set({ mode: "recorded", playing: false });
    const held = this.moments.at(run, wanted);
    if (held) {
      this.asked = this.wished = null;
      this.status.set({ replayError: null });
      this.#show(run, held, "recorded");
      this.#resume();
    } else if (this.asked) {
      this.wished = { run, t: wanted };
      this.cursor.set({ seeking: true });
    } else this.#ask(run, wanted);
  }

  /** @param {number} frames */
  step(frames) {
    const { run, t } = this.cursor.get();
    if (run === null || t === null) return;
    this.pause();
    this.seek(run, t + frames * (this.#run(run)?.stride ?? 1));
  }

  /** @param {number} speed */
  setSpeed(speed) {
    this.cursor.set({ speed: Math.min(MOST_SPEED, Math.max(LEAST_SPEED, speed)) });
    if (this.cursor.get().mode === "recorded" && this.cursor.get().playing) {
      this.replay.setSpeed(this.cursor.get().speed);
    }
  }

  /** @param {{from: number, to: number} | null} loop */
  setLoop(loop) {
    this.cursor.set({ loop });
  }

  // ---- playing --------------------------------------------------------------------------------

  /**
   * Play what follows tick `t`: the page's own frames one by one, else the recording's.
   * @param {string} run
   * @param {number} t
   */
  #playOn(run, t) {
    const about = this.#run(run);
    const stride = about?.stride ?? 1;
    const next = this.moments.at(run, t + stride);
    const { speed } = this.cursor.get();
    if (next) {
      const wait = (1000 * stride) / ((about?.tickRate ?? 100) * speed);
      this.timer = setTimeout(
        () => {
          this.#show(run, next, "recorded");
          this.#afterPlayed(run, next.t, () => this.#playOn(run, next.t));
        },
        Math.min(wait, LONGEST_WAIT_MS),
      );
    } else if (this.newest?.run === run && t >= this.newest.frame.t) this.goLive();
    else this.replay.play(run, t + 1, speed);
  }

  /**
   * See to the ends of what is played: the loop's, and the live edge.
   * @param {string} run
   * @param {number} t tick of the frame that was shown
   * @param {() => void} [goOn]
   */
  #afterPlayed(run, t, goOn = () => {}) {
    const { loop } = this.cursor.get();
    const stride = this.#run(run)?.stride ?? 1;
    if (loop && t + stride > loop.to) this.seek(run, loop.from);
    else if (!loop && this.newest?.run === run && t >= this.newest.frame.t) this.goLive();
    else goOn();
  }

  #stopPlaying() {
    clearTimeout(this.timer);
    this.replay.pause();
  }

  /** Go on playing after a seek, if it played. */
  #resume() {
    const { run, t, playing, mode } = this.cursor.get();
    if (playing && mode === "recorded" && run !== null && t !== null) this.#playOn(run, t);
  }

  /** @param {Frame} frame */
  #atLiveEdge(frame) {
    if (this.cursor.get().playing) this.goLive();
    else if (this.newest) {
      this.cursor.set({ seeking: false });
      this.#show(this.newest.run, frame, "recorded");
    }
  }

  // ---- asking ---------------------------------------------------------------------------------

  /**
   * @param {string} run
   * @param {number} t
   */
  #ask(run, t) {
    this.asked = { run, t };
    this.cursor.set({ seeking: true });
    this.replay.show(run, t);
  }

  #followWish() {
    const wish = this.wished;
    this.wished = null;
    if (wish) this.seek(wish.run, wish.t);
    else this.#resume();
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

  /**
   * Return the tick of the last frame at or before `t`, as far as the run is known.
   * @param {string} run
   * @param {number} t
   */
  #frameTick(run, t) {
    const about = this.#run(run);
    if (!about || about.firstFrame === null || about.lastFrame === null)
      return Math.max(0, Math.floor(t));
    const { stride, firstFrame } = about;
    const newest = this.newest?.run === run ? this.newest.frame.t : 0;
    const within = Math.min(Math.max(t, firstFrame), Math.max(about.lastFrame, newest));
    return Math.floor(within / stride) * stride;
  }

  /** @param {string} run @returns {Run | undefined} */
  #run(run) {
    return this.recording.get().runs.find((known) => known.run === run);
  }
}
