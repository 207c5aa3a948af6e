// @ts-check
/**
 * Metrics over any span of ticks of any run: the newest from the page's own memory, what is older
 * from the camera's recording, reduced to as many buckets as a chart has room for.
 */

import { tellAll } from "../state/observable.js";
import { SERIES } from "../state/settings.js";
import { reduce } from "../time/reduce.js";
import { firstAtOrAfter } from "./sorted.js";

/** @typedef {import("../types.js").Metric} Metric */
/** @typedef {import("../types.js").SeriesKey} SeriesKey */
/** @typedef {import("../types.js").SeriesSlice} SeriesSlice */

/** Metrics that are held as they came live: an hour at 100 ticks a second takes 23 MB. */
const MOST_METRICS = 360_000;
/** Between two looks at the recording for a span that is still growing. */
const STALE_MS = 5_000;
/** Where as many metrics as that are missing in a row, the recording may have them. */
const MOST_MISSED = 5;

export class Series {
  /** @param {import("./server.js").Server} server */
  constructor(server) {
    this.server = server;
    /** @type {string | null} run of the metrics that are held */
    this.run = null;
    /** What is missing of what came live can be asked of the recording. */
    this.isRecorded = true;
    /** @type {Set<string>} runs of which some metrics cannot be read from the recording */
    this.metricsMissing = new Set();
    this.length = 0;
    /** Rows from which on all is held that came, and that none is missing of, as far as is known. */
    this.heldRow = 0;
    this.wholeRow = 0;
    this.heldSince = Number.NEGATIVE_INFINITY;
    this.step = Number.POSITIVE_INFINITY;
    this.capacity = 4096;
    this.t = new Float64Array(this.capacity);
    /** @type {Record<SeriesKey, Float64Array>} */
    this.columns = /** @type {any} */ ({});
    for (const key of SERIES) this.columns[key] = new Float64Array(this.capacity);
    /** @type {Set<() => void>} */
    this.followers = new Set();
    /** @type {Map<string, {at: number, slice: SeriesSlice}>} */
    this.fetched = new Map();
  }

  /**
   * Be told when metrics came live.
   * @param {() => void} follower
   * @returns {() => void} ends it
   */
  follow(follower) {
    this.followers.add(follower);
    return () => this.followers.delete(follower);
  }

  /**
   * Take metrics that came live, ascending. Those of another run begin anew, and those of before
   * all that is held, which was of another run then.
   * @param {string} run
   * @param {Metric[]} metrics
   */
  add(run, metrics) {
    const isBefore = this.length > 0 && metrics[metrics.length - 1].t < this.t[0];
    if (run !== this.run || isBefore) {
      this.run = run;
      this.length = this.heldRow = this.wholeRow = 0;
      this.step = Number.POSITIVE_INFINITY;
      this.heldSince = Number.NEGATIVE_INFINITY;
    }
    for (const metric of metrics) {
      if (this.length && metric.t <= this.t[this.length - 1]) continue;
      this.#append(metric);
    }
    this.#leaveOut();
    tellAll(this.followers);
  }

  /**
   * @returns {number | null} the tick from which on metrics are taken from memory: what was missed
   *   before it is asked of the recording
   */
  get heldFrom() {
    return this.length ? this.t[this.heldRow] : null;
  }

  /**
   * Return the metric of the last tick at or before `t`, if it is held.
   * @param {string} run
   * @param {number} t
   * @returns {Metric | null}
   */
  at(run, t) {
    if (run !== this.run || !this.length || t < this.t[0]) return null;
    const row = this.#rowAfter(t) - 1;
    const metric = /** @type {any} */ ({ t: this.t[row] });
    for (const key of SERIES) metric[key] = this.columns[key][row];
    return metric;
  }

  /**
   * Return the metrics of a span, both ends included, in at most `points` buckets. From memory,
   * where all of it is held; else the camera is asked.
   * @param {string} run
   * @param {number} from
   * @param {number} to
   * @param {number} points
   * @param {AbortSignal} [signal]
   * @returns {Promise<SeriesSlice>}
   */
  async read(run, from, to, points, signal = undefined) {
    const held = this.heldFrom;
    if (run === this.run && held !== null && from >= held) return this.readHeld(from, to, points);
    const key = [run, from, to, points].join(" ");
    const known = this.fetched.get(key);
    if (known && performance.now() - known.at < STALE_MS) return known.slice;
    const slice = await this.#fetch({ run, from, to, points }, signal);
    this.fetched.set(key, { at: performance.now(), slice });
    if (this.fetched.size > 32)
      this.fetched.delete(/** @type {string} */ (this.fetched.keys().next().value));
    return slice;
  }

  /**
   * Return a span of what is held, reduced.
   * @param {number} from
   * @param {number} to
   * @param {number} points
   * @returns {SeriesSlice}
   */
  readHeld(from, to, points) {
    const begin = firstAtOrAfter(this.t.subarray(0, this.length), from);
    const end = this.#rowAfter(to);
    const part = (/** @type {Float64Array} */ column) =>
      column.subarray(begin, Math.max(begin, end));
    return reduce({
      run: this.run ?? "",
      from,
      to,
      points,
      t: part(this.t),
      columns: mapped(this.columns, part),
    });
  }

  /**
   * @param {{run: string, from: number, to: number, points: number}} asked
   * @param {AbortSignal} [signal]
   * @returns {Promise<SeriesSlice>}
   */
  async #fetch({ run, from, to, points }, signal) {
    const query = { run, from_t: Math.floor(from), to_t: Math.ceil(to), points };
    const answer = await this.server.json("overview/metrics", query, signal);
    if (answer.complete === false) this.metricsMissing.add(run);
    return {
      run,
      from,
      to,
      t: Float64Array.from(answer.t),
      series: mapped(answer.series, (/** @type {any} */ line) => ({
        min: figures(line.min),
        max: figures(line.max),
        last: figures(line.last),
      })),
      sampled: Boolean(answer.sampled),
    };
  }

  /**
   * Return the first row of a tick after `t`.
   * @param {number} t
   */
  #rowAfter(t) {
    return firstAtOrAfter(this.t.subarray(0, this.length), Math.floor(t) + 1);
  }

  /** @param {Metric} metric */
  #append(metric) {
    if (this.length === this.capacity) this.#grow();
    if (this.length) {
      const passed = metric.t - this.t[this.length - 1];
      this.step = Math.min(this.step, passed);
      if (passed > MOST_MISSED * this.step) this.wholeRow = this.length;
    }
    this.t[this.length] = metric.t;
    for (const key of SERIES) this.columns[key][this.length] = metric[key];
    this.length += 1;
  }

  /**
   * Leave to the recording what is before the last piece that was missed. Not too often: where
   * pieces are missed all the time, the recording would be asked all the time.
   */
  #leaveOut() {
    const now = performance.now();
    if (!this.isRecorded || this.wholeRow <= this.heldRow || now - this.heldSince < STALE_MS)
      return;
    this.heldRow = this.wholeRow;
    this.heldSince = now;
  }

  #grow() {
    if (this.capacity >= MOST_METRICS) {
      const half = this.length >> 1;
      for (const column of [this.t, ...Object.values(this.columns)]) column.copyWithin(0, half);
      this.length -= half;
      this.heldRow = Math.max(0, this.heldRow - half);
      this.wholeRow = Math.max(0, this.wholeRow - half);
      return;
    }
    this.capacity = Math.min(2 * this.capacity, MOST_METRICS);
    const larger = (/** @type {Float64Array} */ column) => {
      const grown = new Float64Array(this.capacity);
      grown.set(column);
      return grown;
    };
    this.t = larger(this.t);
    this.columns = mapped(this.columns, larger);
  }
}

/** @param {(number | null)[]} values */
function figures(values) {
  return Float64Array.from(values, (value) => value ?? Number.NaN);
}

/**
 * @template From, To
 * @param {Record<SeriesKey, From>} record
 * @param {(value: From) => To} make
 * @returns {Record<SeriesKey, To>}
 */
function mapped(record, make) {
  const result = /** @type {any} */ ({});
  for (const key of SERIES) result[key] = make(record[key]);
  return result;
}
