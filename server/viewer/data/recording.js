// @ts-check
/** What there is to look at: the runs of the camera's recording, and their events. */

import { Events } from "./events.js";
import { TokenNeeded } from "./server.js";

/** @typedef {import("../types.js").Frame} Frame */
/** @typedef {import("../types.js").Hole} Hole */
/** @typedef {import("../types.js").Recording} Recording */
/** @typedef {import("../types.js").Run} Run */
/** @typedef {import("../state/observable.js").Observable<Recording>} RecordingValue */

const RUNS_EVERY_MS = 10_000;
const UNKNOWN_RATE = 100;
const UNKNOWN_W = 300;
const UNKNOWN_STRIDE = 10;
const MOST_GAPS = 1_000;

/** @returns {Recording} */
export function initialRecording() {
  return { runs: [], events: new Map(), eventsMissing: new Set(), loaded: false, error: null };
}

/** Keeps the list of runs and their events as they are now. */
export class RecordingList {
  /**
   * @param {import("./server.js").Server} server
   * @param {RecordingValue} recording
   */
  constructor(server, recording) {
    this.server = server;
    this.recording = recording;
    this.events = new Events(server, recording);
    /** @type {Map<string, Hole[]>} what was left out live by run, while nothing was recorded */
    this.gaps = new Map();
    this.asked = 0;
    this.answered = 0;
    /** @type {() => void} */
    this.onFirst = () => undefined;
    /** @type {any} last answer of `/health`: what a run is like that is not listed yet */
    this.health = null;
  }

  /**
   * Ask now, and again and again.
   * @returns {Promise<void>} resolves when there was an answer, if need be after a token was given
   */
  start() {
    setInterval(() => this.refresh(), RUNS_EVERY_MS);
    return new Promise((resolve) => {
      this.onFirst = resolve;
      this.refresh();
    });
  }

  async refresh() {
    this.asked += 1;
    const number = this.asked;
    /** @type {unknown} */
    let failure = null;
    /** @type {Run[] | null} */
    let runs = null;
    try {
      const listed = await this.server.json("runs");
      runs = listed.filter(isFilmed).map(toRun);
    } catch (error) {
      failure = error;
    }
    if (number < this.answered) return; // another that was asked later was answered already
    this.answered = number;
    this.recording.set({
      runs: this.#withLive(runs ?? this.recording.get().runs),
      loaded: true,
      error: failure === null ? null : failure instanceof Error ? failure.message : String(failure),
    });
    if (failure instanceof TokenNeeded) return;
    this.onFirst();
    this.events.askDue();
  }

  /** @param {any} health */
  takeHealth(health) {
    const isNew = health.run !== this.health?.run;
    this.health = health;
    if (!isNew) return;
    this.recording.set({ runs: this.#withLive(this.recording.get().runs) });
    this.refresh();
  }

  /**
   * Take a frame that came live: its run has grown, and it may show new events.
   * @param {string} run
   * @param {Frame} frame
   */
  takeFrame(run, frame) {
    this.#grow(run, frame);
    this.events.takeFrame(run, frame);
  }

  /**
   * Take what was left out live. Where nothing is recorded, it is nowhere.
   * @param {string} run
   * @param {Hole} gap
   */
  takeGap(run, gap) {
    if (this.health?.recording) return;
    this.gaps.set(run, [...(this.gaps.get(run) ?? []), gap].slice(-MOST_GAPS));
    const { runs } = this.recording.get();
    this.recording.set({
      runs: runs.map((known) => (known.run === run ? this.#withGaps(known) : known)),
    });
  }

  /**
   * Ask for the events of a run, if that was not done.
   * @param {string} run
   */
  wantEvents(run) {
    this.events.want(run);
  }

  /** Ask for what may have been missed while there was no connection. */
  reopened() {
    this.refresh();
    this.events.askAgain();
  }

  /**
   * @param {string} run
   * @param {Frame} frame
   */
  #grow(run, frame) {
    const { runs } = this.recording.get();
    const at = runs.findIndex((known) => known.run === run);
    if (at < 0) return;
    const known = runs[at];
    if (known.lastFrame !== null && frame.t <= known.lastFrame) return;
    const grown = {
      ...known,
      first_t: known.firstFrame === null ? Math.min(known.first_t, frame.window.t0) : known.first_t,
      firstFrame: known.firstFrame ?? frame.t,
      lastFrame: frame.t,
      last_t: Math.max(known.last_t, frame.t),
      stride: frame.window.stride,
      W: frame.window.W,
    };
    this.recording.set({ runs: runs.with(at, grown) });
  }

  /**
   * The run that is filmed now is shown from its first frame on, before it is listed, and also
   * where nothing is recorded.
   * @param {Run[]} runs
   * @returns {Run[]}
   */
  #withLive(runs) {
    const current = this.health?.run;
    if (!current) return runs;
    const known = this.recording.get().runs.find((run) => run.run === current);
    const listed = runs.find((run) => run.run === current);
    if (listed) {
      const grown = this.#withGaps(known ? laterOf(listed, known) : listed);
      return runs.map((run) =>
        run === listed ? { ...grown, current: true } : { ...run, current: false },
      );
    }
    return [...runs.map((run) => ({ ...run, current: false })), known ?? this.#unlisted(current)];
  }

  /** @param {Run} run @returns {Run} */
  #withGaps(run) {
    const gaps = this.gaps.get(run.run);
    return gaps ? { ...run, holes: [...new Set([...run.holes, ...gaps])] } : run;
  }

  /** @param {string} run @returns {Run} */
  #unlisted(run) {
    const camera = this.health?.camera ?? {};
    const t = Math.max(0, (this.health?.meta?.ticks ?? 1) - 1);
    return {
      run,
      started_at: new Date(1000 * (this.health?.meta?.start_ts ?? 0)).toISOString(),
      ended_at: null,
      current: true,
      first_t: 0,
      last_t: t,
      firstFrame: null,
      lastFrame: null,
      stride: camera.stride ?? UNKNOWN_STRIDE,
      W: camera.W ?? UNKNOWN_W,
      metricStep: camera.metric_downsample ?? 1,
      tickRate: camera.tick_rate || UNKNOWN_RATE,
      edgeCap: camera.edge_cap ?? null,
      isRecorded: false,
      holes: [],
    };
  }
}

/** @param {any} listed */
function isFilmed(listed) {
  return Boolean(listed.kinds?.frames || listed.kinds?.metrics);
}

/**
 * @param {any} listed an entry of `/runs`
 * @returns {Run}
 */
export function toRun(listed) {
  const { frames, metrics } = listed.kinds;
  const camera = listed.about?.camera ?? {};
  const spans = [frames, metrics].filter(Boolean);
  return {
    run: listed.run,
    started_at: listed.started_at,
    ended_at: listed.ended_at ?? null,
    current: Boolean(listed.current),
    first_t: Math.min(...spans.map((span) => span.first_t)),
    last_t: Math.max(...spans.map((span) => span.last_t)),
    firstFrame: frames?.first_t ?? null,
    lastFrame: frames?.last_t ?? null,
    stride: camera.stride ?? UNKNOWN_STRIDE,
    W: camera.W ?? UNKNOWN_W,
    metricStep: listed.about?.metric_downsample ?? 1,
    tickRate: listed.about?.tick_rate || UNKNOWN_RATE,
    edgeCap: camera.edge_cap ?? null,
    isRecorded: true,
    holes: listed.holes ?? [],
  };
}

/**
 * Return a run as it is listed, as far as it has come since; what is no longer kept of it is gone.
 * @param {Run} one as it is listed
 * @param {Run} other as the page knew it
 * @returns {Run}
 */
export function laterOf(one, other) {
  return {
    ...one,
    last_t: Math.max(one.last_t, other.last_t),
    firstFrame: one.firstFrame ?? other.firstFrame,
    lastFrame:
      other.lastFrame === null ? one.lastFrame : Math.max(one.lastFrame ?? 0, other.lastFrame),
  };
}
