// @ts-check
/**
 * What the charts show of a span: at once what is known of it, and the rest when it has come. What
 * came live is taken from the page's memory; what is older is asked of the camera, a good piece
 * more than is visible, so that a span that moves asks seldom.
 */

import { bucketLength, joined } from "./reduce.js";
import { runOf } from "./runs.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").SeriesSlice} SeriesSlice */
/** @typedef {{run: string, from: number, to: number, points: number}} Wanted */
/** @typedef {{slice: SeriesSlice, step: number, at: number}} Loaded */

/** A loading that takes less long is not told of. */
const QUIET_MS = 200;
/** What was sampled, or not written yet when it was asked for, is asked for again. */
const AGAIN_MS = 5_500;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

export class ChartSource {
  /**
   * @param {App} app
   * @param {() => void} onChange something has come, or failed: ask again
   */
  constructor(app, onChange) {
    this.app = app;
    this.onChange = onChange;
    /** @type {"quiet" | "loading" | "failed"} */
    this.state = "quiet";
    /** @type {string | null} why the last attempt failed */
    this.reason = null;
    /** @type {Loaded | null} */
    this.loaded = null;
    /** @type {{run: string, abort: AbortController} | null} the request on its way */
    this.asked = null;
    this.retryMs = FIRST_RETRY_MS;
    /** Something of what was wanted last is not here. */
    this.isMissing = false;
    /** @type {string | null} run of which asking failed last */
    this.failedRun = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} set while nothing is asked */
    this.retryTimer = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.againTimer = undefined;
  }

  dispose() {
    this.onChange = () => undefined;
    this.asked?.abort.abort();
    clearTimeout(this.retryTimer);
    clearTimeout(this.againTimer);
  }

  /** Ask again now for what failed. */
  retry() {
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
    this.onChange();
  }

  /**
   * Return what is known of a span, and see to the rest.
   * @param {Wanted} wanted
   * @returns {SeriesSlice | null}
   */
  want(wanted) {
    this.isMissing = false;
    const slice = this.#known(wanted);
    if (!this.isMissing)
      this.state = "quiet"; // what failed is not wanted any more
    else if (this.#isWaiting(wanted.run)) this.state = "failed";
    return slice;
  }

  /**
   * @param {Wanted} wanted
   * @returns {SeriesSlice | null}
   */
  #known(wanted) {
    const { run, from, to } = wanted;
    const { series } = this.app;
    const step = bucketLength(from, to, wanted.points);
    const held = series.run === run ? series.heldFrom : null;
    if (held === null) return this.#older(wanted, step);
    const begin = Math.max(from, held);
    const points = Math.ceil((to - begin + 1) / step) + 1;
    const fresh = begin <= to ? series.readHeld(begin, to, points) : null;
    if (from >= held) return fresh;
    const older = this.#older({ ...wanted, to: Math.min(to, held - 1) }, step, held - 1);
    return older && fresh ? joined(older, fresh) : (older ?? fresh);
  }

  /**
   * @param {Wanted} wanted
   * @param {number} step
   * @param {number} [last] what is later comes from elsewhere
   * @returns {SeriesSlice | null}
   */
  #older(wanted, step, last = Number.POSITIVE_INFINITY) {
    const known = runOf(this.app, wanted.run);
    const end = Math.min(last, known?.last_t ?? last);
    const from = Math.max(wanted.from, known?.first_t ?? 0);
    const to = Math.min(wanted.to, end);
    if (!known || from > to) return null; // nothing of it was ever recorded
    const need = { run: wanted.run, from, to };
    const isCovered = covers(this.loaded, need, step);
    this.isMissing = !isCovered;
    if (!isCovered || this.#isStale()) {
      const more = (to - from) >> 1;
      const padded = {
        run: wanted.run,
        from: Math.max(known.first_t, from - more),
        to: Math.min(end, to + more),
      };
      this.#ask(padded, step);
    }
    return this.loaded?.slice.run === wanted.run ? this.loaded.slice : null;
  }

  /**
   * @param {{run: string, from: number, to: number}} need
   * @param {number} step
   */
  async #ask({ run, from, to }, step) {
    if (this.asked?.run === run || this.#isWaiting(run)) return;
    this.asked?.abort.abort();
    const asked = { run, abort: new AbortController() };
    this.asked = asked;
    const slow = setTimeout(() => this.#tell("loading"), QUIET_MS);
    try {
      const points = Math.ceil((to - from + 1) / step) + 1;
      const slice = await this.app.series.read(run, from, to, points, asked.abort.signal);
      if (this.asked === asked) this.#take({ slice, step, at: performance.now() });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (this.asked === asked) this.#fail(run, reason);
    } finally {
      clearTimeout(slow);
    }
  }

  /** @param {Loaded} loaded */
  #take(loaded) {
    this.asked = null;
    this.loaded = loaded;
    this.reason = null;
    this.retryMs = FIRST_RETRY_MS;
    clearTimeout(this.againTimer);
    if (!this.#isSettled(loaded)) this.againTimer = setTimeout(() => this.onChange(), AGAIN_MS);
    this.#tell("quiet");
  }

  /**
   * Whether asking for this run failed, and is not tried again yet.
   * @param {string} run
   */
  #isWaiting(run) {
    if (this.retryTimer !== undefined && run !== this.failedRun) {
      clearTimeout(this.retryTimer);
      this.retryTimer = undefined;
      this.retryMs = FIRST_RETRY_MS;
    }
    return this.retryTimer !== undefined;
  }

  /**
   * @param {string} run
   * @param {string} reason
   */
  #fail(run, reason) {
    this.asked = null;
    this.failedRun = run;
    this.reason = reason;
    this.retryTimer = setTimeout(() => this.retry(), this.retryMs);
    this.retryMs = Math.min(2 * this.retryMs, LONGEST_RETRY_MS);
    this.#tell("failed");
  }

  #isStale() {
    const { loaded } = this;
    return loaded && performance.now() - loaded.at >= AGAIN_MS && !this.#isSettled(loaded);
  }

  /**
   * Whether the same question would be answered alike.
   * @param {Loaded} loaded
   */
  #isSettled({ slice }) {
    if (slice.sampled) return false;
    if (!runOf(this.app, slice.run)?.current) return true;
    const { last } = slice.series.N;
    return last.length > 0 && !Number.isNaN(last[last.length - 1]);
  }

  /** @param {ChartSource["state"]} state */
  #tell(state) {
    this.state = state;
    this.onChange();
  }
}

/**
 * @param {Loaded | null} loaded
 * @param {{run: string, from: number, to: number}} need
 * @param {number} step
 */
function covers(loaded, { run, from, to }, step) {
  if (!loaded || loaded.slice.run !== run || loaded.step > step) return false;
  return from >= loaded.slice.from && to <= loaded.slice.to;
}
