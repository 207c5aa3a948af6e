// @ts-check
/**
 * The events of runs: as the camera's recording has them, asked for page after page, and as the
 * frames that come live show them.
 */

import { RequestFailed } from "./server.js";

/** @typedef {import("../types.js").Frame} Frame */
/** @typedef {import("../types.js").MarketEvent} MarketEvent */
/** @typedef {import("../types.js").Recording} Recording */
/** @typedef {import("../types.js").Run} Run */
/** @typedef {import("../state/observable.js").Observable<Recording>} RecordingValue */

/** Events that are held of a run; of more the oldest go, and that is told. */
export const MOST_EVENTS = 200_000;
const PAGE_EVENTS = 20_000;
/** Pages that are asked for one after the other, before others have their turn. */
const PAGES_AT_ONCE = 20;
/** Status of the answer where nothing of the run is recorded. */
const NOT_RECORDED = 404;

/**
 * How far the events of a run have been asked for.
 * @typedef {object} Asked
 * @property {number | null} from tick from which on there may be more; null: from the first on
 * @property {boolean} isDue there is more to ask for
 * @property {boolean} isGrowing the run had not ended when it was asked
 * @property {boolean} isWhole the camera knows of none that is missing
 */

export class Events {
  /**
   * @param {import("./server.js").Server} server
   * @param {RecordingValue} recording
   */
  constructor(server, recording) {
    this.server = server;
    this.recording = recording;
    /** @type {Map<string, Asked>} */
    this.asked = new Map();
    /** @type {Map<string, number>} tick of the last live frame by run */
    this.shownTo = new Map();
    this.isAsking = false;
  }

  /**
   * Ask for the events of a run, if that was not done.
   * @param {string} run
   */
  want(run) {
    if (this.asked.has(run)) return;
    this.asked.set(run, { from: null, isDue: true, isGrowing: true, isWhole: true });
    this.askDue();
  }

  /** Ask again of the runs that have gone on since: something of them may have been missed. */
  askAgain() {
    for (const asked of this.asked.values()) asked.isDue ||= asked.isGrowing;
    this.askDue();
  }

  /**
   * Take the events that a live frame shows. Where frames before it are missing for longer than its
   * window, others are to be asked for.
   * @param {string} run
   * @param {Frame} frame
   */
  takeFrame(run, frame) {
    const { bursts, shocks } = frame.events;
    this.#add(run, [
      ...bursts.map((item) => /** @type {MarketEvent} */ ({ type: "burst", ...item })),
      ...shocks.map((item) => /** @type {MarketEvent} */ ({ type: "shock", ...item })),
    ]);
    const asked = this.asked.get(run);
    const before = this.shownTo.get(run);
    this.shownTo.set(run, frame.t);
    if (asked && before !== undefined && frame.window.t0 > before + 1) asked.isDue = true;
  }

  /** Ask for what is due, of one run after the other; what fails is due again. */
  async askDue() {
    if (this.isAsking) return;
    this.isAsking = true;
    for (const [run, asked] of this.asked) if (asked.isDue) await this.#tryAsking(run, asked);
    this.isAsking = false;
  }

  /**
   * @param {string} run
   * @param {Asked} asked
   */
  async #tryAsking(run, asked) {
    try {
      await this.#ask(run, asked);
      this.#tellWhole(run, asked.isWhole);
    } catch (error) {
      if (error instanceof RequestFailed && error.status === NOT_RECORDED) asked.isDue = false;
      else this.recording.set({ error: error instanceof Error ? error.message : String(error) });
    }
  }

  /**
   * @param {string} run
   * @param {Asked} asked
   */
  async #ask(run, asked) {
    const about = this.recording.get().runs.find((known) => known.run === run);
    for (let page = 0; page < PAGES_AT_ONCE; page++) {
      const query = { run, from_t: asked.from, limit: PAGE_EVENTS };
      const answer = await this.server.json("events", query);
      const { events, covered_to: coveredTo, complete, source } = answer;
      this.#add(run, events);
      if (coveredTo !== null) {
        asked.from = coveredTo + 1;
        continue;
      }
      asked.isDue = false;
      asked.isGrowing = about?.current ?? true;
      // Of a page before the last it is not said, but the run has its holes.
      const shownBy = source === "frames" ? "frames" : "events";
      const isMissing = about?.holes.some(({ kind }) => kind === shownBy) ?? false;
      asked.isWhole &&= complete && !isMissing;
      // A burst may be found some frames late, but within the window of one that shows it.
      if (events.length) asked.from = Math.max(0, events[events.length - 1].t - (about?.W ?? 0));
      return;
    }
  }

  /**
   * @param {string} run
   * @param {MarketEvent[]} found ascending
   */
  #add(run, found) {
    const { events } = this.recording.get();
    const known = events.get(run);
    const all = withEvents(known ?? [], found);
    if (known && all === known) return;
    if (all.length > MOST_EVENTS) this.#cut(run);
    this.recording.set({ events: new Map(events).set(run, all.slice(-MOST_EVENTS)) });
  }

  /** @param {string} run */
  #cut(run) {
    const asked = this.asked.get(run);
    if (asked) asked.isWhole = false;
    this.#tellWhole(run, false);
  }

  /**
   * @param {string} run
   * @param {boolean} isWhole
   */
  #tellWhole(run, isWhole) {
    const { eventsMissing } = this.recording.get();
    if (eventsMissing.has(run) !== isWhole) return;
    const missing = new Set(eventsMissing);
    if (isWhole) missing.delete(run);
    else missing.add(run);
    this.recording.set({ eventsMissing: missing });
  }
}

/**
 * Return events and others, each once, ascending. Only the end is looked at from the first of the
 * others on: they are new ones nearly always.
 * @param {MarketEvent[]} known ascending
 * @param {MarketEvent[]} found
 * @returns {MarketEvent[]} `known` itself, if there is none that is new
 */
export function withEvents(known, found) {
  const first = found.reduce((least, { t }) => Math.min(least, t), Number.POSITIVE_INFINITY);
  let at = known.length;
  while (at > 0 && known[at - 1].t >= first) at -= 1;
  const end = known.slice(at);
  const seen = new Set(end.map(nameOf));
  const added = found.filter((event) => !seen.has(nameOf(event)));
  if (!added.length) return known;
  return [...known.slice(0, at), ...[...end, ...added].sort((a, b) => a.t - b.t)];
}

/** @param {MarketEvent} event */
function nameOf({ type, t }) {
  return `${type} ${t}`;
}
