// @ts-check
/**
 * Metrics over any span of ticks of any run: the newest from the page's own memory, what is older
 * from the camera's recording, reduced to as many buckets as a chart has room for.
 */

import { SERIES } from "../state/settings.js";
import { reduce } from "../time/reduce.js";

/** @typedef {import("../types.js").Metric} Metric */
/** @typedef {import("../types.js").SeriesKey} SeriesKey */
/** @typedef {import("../types.js").SeriesSlice} SeriesSlice */

/** Metrics that are held as they came live: an hour at 100 ticks a second takes 23 MB. */
const MOST_METRICS = 360_000;
/** Between two looks at the recording for a span that is still growing. */
const STALE_MS = 5_000;

export class Series {
  /** @param {import("./server.js").Server} server */
  constructor(server) {
    this.server = server;
    /** @type {string | null} run of the metrics that are held */
    this.run = null;
    this.length = 0;
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
   * Take metrics that came live, ascending. Those of another run begin anew.
   * @param {string} run
   * @param {Metric[]} metrics
   */
  add(run, metrics) {
    if (run !== this.run) {
      this.run = run;
      this.length = 0;
    }
    for (const metric of metrics) {
      if (this.length && metric.t <= this.t[this.length - 1]) continue;
      if (this.length === this.capacity) this.#grow();
      this.t[this.length] = metric.t;
      for (const key of SERIES) this.columns[key][this.length] = metric[key];
      this.length += 1;
    }
    for (const follower of [...this.followers]) follower();
  }

  /** @returns {number | null} the tick from which on all that came live is held */
  get heldFrom() {
    return this.length ? this.t[0] : null;
  }

  /**
   * Return the metric of the last tick at or before `t`, if it is held.
   * @param {string} run
   * @param {number} t
   * @returns {Metric | null}
   */
  at(run, t) {
    if (run !== this.run || !this.length || t < this.t[0]) return null;
    const row = lastAtOrBefore(this.t, this.length, t);
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
    const begin = firstAtOrAfter(this.t, this.length, from);
    const end = lastAtOrBefore(this.t, this.length, to) + 1;
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

  #grow() {
    if (this.capacity >= MOST_METRICS) {
      const half = this.length >> 1;
      for (const column of [this.t, ...Object.values(this.columns)]) column.copyWithin(0, half);
      this.length -= half;
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

/**
 * @param {Float64Array} t ascending
 * @param {number} length
 * @param {number} wanted
 */
function firstAtOrAfter(t, length, wanted) {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (t[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * @param {Float64Array} t ascending
 * @param {number} length
 * @param {number} wanted
 */
function lastAtOrBefore(t, length, wanted) {
  const next = firstAtOrAfter(t, length, wanted);
  return next < length && t[next] === wanted ? next : next - 1;
}
