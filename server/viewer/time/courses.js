// @ts-check
/** The lines of all charts: metrics from one source, measures of the graph from another. */

import { firstAtOrAfter } from "../data/sorted.js";
import { isMeasure } from "../state/measures.js";
import { ChartSource } from "./charts-source.js";
import { MeasureSource } from "./measures-source.js";
import { gapLength } from "./reduce.js";
import { runOf } from "./runs.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").ChartKey} ChartKey */
/** @typedef {import("../types.js").Course} Course */
/** @typedef {import("../types.js").SeriesKey} SeriesKey */
/** @typedef {import("../types.js").SeriesSlice} SeriesSlice */

export class Courses {
  /**
   * @param {App} app
   * @param {{now: () => void, soon: () => void}} redraw
   */
  constructor(app, redraw) {
    this.app = app;
    this.metrics = new ChartSource(app, () => redraw.now());
    this.measures = new MeasureSource(app, () => redraw.soon());
    /** @type {SeriesSlice | null} metrics that are drawn */
    this.slice = null;
    /** @type {Map<ChartKey, Course | null>} what was made of what is here since the last look */
    this.made = new Map();
  }

  dispose() {
    this.metrics.dispose();
    this.measures.dispose();
  }

  retry() {
    this.metrics.retry();
    this.measures.retry();
  }

  /**
   * Take what is known of a span, and see to the rest.
   * @param {{run: string, from: number, to: number, points: number} | null} wanted
   * @param {ChartKey[]} keys
   */
  look(wanted, keys) {
    this.made.clear();
    this.slice = wanted && this.metrics.want(wanted);
    this.measures.look(wanted, keys.filter(isMeasure));
  }

  /** @param {ChartKey} key @returns {Course | null} */
  courseOf(key) {
    let course = this.made.get(key);
    if (course === undefined) {
      course = isMeasure(key) ? this.measures.courseOf(key) : lineOf(this.slice, key);
      this.made.set(key, course);
    }
    return course;
  }

  /**
   * Return the value at a tick, NaN where nothing is known: of a metric the exact one if the page
   * holds it, else the last one of what is drawn there; where metrics are rare, or not here yet, that
   * of up to a stride before. Of a measure it is that of the last point, which stands until the next.
   * @param {ChartKey} key
   * @param {number} t
   */
  figure(key, t) {
    return isMeasure(key) ? valueBefore(this.courseOf(key), t) : this.#metric(key, t);
  }

  /**
   * Return the value to show beside a chart at the cursor's tick, of which the answer may not have come.
   * @param {ChartKey} key
   * @param {number} t
   */
  standing(key, t) {
    const value = this.figure(key, t);
    if (!Number.isNaN(value) || !isMeasure(key)) return value;
    return this.measures.latest(this.courseOf(key), t);
  }

  /** @param {ChartKey} key why it is not here */
  noteOf(key) {
    return isMeasure(key) ? this.measures.noteOf(key, this.courseOf(key)) : "";
  }

  /**
   * @param {SeriesKey} key
   * @param {number} t
   */
  #metric(key, t) {
    const { slice } = this;
    if (!slice) return Number.NaN;
    const reach = runOf(this.app, slice.run)?.stride ?? 1;
    const exact = this.app.series.at(slice.run, t);
    if (exact && t - exact.t <= reach) return exact[key];
    if (!(t >= slice.from && t <= slice.to + reach)) return Number.NaN;
    const row = firstAtOrAfter(slice.t, t + 1) - 1;
    return row < 0 ? Number.NaN : slice.series[key].last[row];
  }
}

/**
 * @param {SeriesSlice | null} slice
 * @param {SeriesKey} key
 * @returns {Course | null}
 */
function lineOf(slice, key) {
  if (!slice) return null;
  const { t, to, series } = slice;
  return { t, to, ...series[key], gap: gapLength(slice, key), isExact: false };
}

/**
 * @param {Course | null} course
 * @param {number} t
 */
function valueBefore(course, t) {
  if (!course) return Number.NaN;
  const row = firstAtOrAfter(course.t, t + 1) - 1;
  return row >= 0 && t - course.t[row] < course.gap ? course.last[row] : Number.NaN;
}
