// @ts-check
/** What there is to look at: the runs of the camera's recording, and their events. */

/** @typedef {import("../types.js").Frame} Frame */
/** @typedef {import("../types.js").MarketEvent} MarketEvent */
/** @typedef {import("../types.js").Recording} Recording */
/** @typedef {import("../types.js").Run} Run */
/** @typedef {import("../state/observable.js").Observable<Recording>} RecordingValue */

const RUNS_EVERY_MS = 10_000;
const UNKNOWN_RATE = 100;
const UNKNOWN_W = 300;
const UNKNOWN_STRIDE = 10;
const MOST_EVENTS = 20_000;
const MOST_PAGES = 50;

/** @returns {Recording} */
export function initialRecording() {
  return { runs: [], events: new Map(), loaded: false, error: null };
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
    /** @type {Set<string>} runs whose events were asked for */
    this.asked = new Set();
    /** @type {any} last answer of `/health`: what a run is like that is not listed yet */
    this.health = null;
  }

  /** Ask now, and again and again; resolves when it has been asked once. */
  start() {
    setInterval(() => this.refresh(), RUNS_EVERY_MS);
    return this.refresh();
  }

  async refresh() {
    try {
      const listed = await this.server.json("runs");
      const runs = listed.filter(isFilmed).map(toRun);
      this.recording.set({ runs: this.#withLive(runs), loaded: true, error: null });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.recording.set({
        runs: this.#withLive(this.recording.get().runs),
        loaded: true,
        error: reason,
      });
    }
  }

  /** @param {any} health */
  takeHealth(health) {
    const isNew = health.run !== this.health?.run;
    this.health = health;
    if (isNew) this.refresh();
  }

  /**
   * Take a frame that came live: its run has grown, and it may show new events.
   * @param {string} run
   * @param {Frame} frame
   */
  takeFrame(run, frame) {
    this.#grow(run, frame);
    const found = [
      ...frame.events.bursts.map((item) => /** @type {MarketEvent} */ ({ type: "burst", ...item })),
      ...frame.events.shocks.map((item) => /** @type {MarketEvent} */ ({ type: "shock", ...item })),
    ];
    if (found.length) this.#addEvents(run, found);
  }

  /**
   * Ask for the events of a run, once: page after page, as the camera gives them.
   * @param {string} run
   */
  async wantEvents(run) {
    if (this.asked.has(run)) return;
    this.asked.add(run);
    try {
      /** @type {number | null} */
      let from = null;
      for (let page = 0; page < MOST_PAGES; page++) {
        const query = { run, from_t: from, limit: MOST_EVENTS };
        const { events, covered_to: coveredTo } = await this.server.json("events", query);
        this.#addEvents(run, events);
        if (coveredTo === null) return;
        from = coveredTo + 1;
      }
    } catch (error) {
      this.asked.delete(run);
      this.recording.set({ error: error instanceof Error ? error.message : String(error) });
    }
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
   * @param {string} run
   * @param {MarketEvent[]} found
   */
  #addEvents(run, found) {
    const { events } = this.recording.get();
    const known = events.get(run) ?? [];
    const seen = new Set(known.map((event) => `${event.type} ${event.t}`));
    const added = found.filter((event) => !seen.has(`${event.type} ${event.t}`));
    if (!added.length && events.has(run)) return;
    const all = [...known, ...added].sort((a, b) => a.t - b.t).slice(-MOST_EVENTS);
    this.recording.set({ events: new Map(events).set(run, all) });
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
      const grown = known ? laterOf(listed, known) : listed;
      return runs.map((run) =>
        run === listed ? { ...grown, current: true } : { ...run, current: false },
      );
    }
    return [...runs.map((run) => ({ ...run, current: false })), known ?? this.#unlisted(current)];
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
      tickRate: camera.tick_rate || UNKNOWN_RATE,
      edgeCap: camera.edge_cap ?? null,
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
    tickRate: listed.about?.tick_rate || UNKNOWN_RATE,
    edgeCap: camera.edge_cap ?? null,
    holes: listed.holes ?? [],
  };
}

/**
 * @param {Run} one
 * @param {Run} other
 * @returns {Run}
 */
function laterOf(one, other) {
  return {
    ...one,
    first_t: Math.min(one.first_t, other.first_t),
    last_t: Math.max(one.last_t, other.last_t),
    firstFrame: one.firstFrame ?? other.firstFrame,
    lastFrame:
      other.lastFrame === null ? one.lastFrame : Math.max(one.lastFrame ?? 0, other.lastFrame),
  };
}
