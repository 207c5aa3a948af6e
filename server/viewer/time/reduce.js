// @ts-check
/** Long series for few pixels: least, greatest and last of each bucket of ticks. */

/** @typedef {import("../types.js").SeriesKey} SeriesKey */
/** @typedef {import("../types.js").SeriesSlice} SeriesSlice */

/**
 * Reduce metrics to at most `points` buckets of equal length in ticks. Nothing of a spike is lost:
 * its bucket has it as least or greatest.
 *
 * Cost: a pass over each column.
 *
 * @param {object} asked
 * @param {string} asked.run
 * @param {number} asked.from
 * @param {number} asked.to
 * @param {number} asked.points
 * @param {Float64Array} asked.t ticks, ascending
 * @param {Record<SeriesKey, Float64Array>} asked.columns
 * @returns {SeriesSlice}
 */
export function reduce({ run, from, to, points, t, columns }) {
  const step = Math.max(1, Math.ceil((to - from + 1) / points));
  const count = Math.max(1, Math.ceil((to - from + 1) / step));
  const starts = Float64Array.from({ length: count }, (_, bucket) => from + bucket * step);
  const bucketOf = Int32Array.from(t, (tick) =>
    Math.min(count - 1, Math.floor((tick - from) / step)),
  );
  const series = /** @type {SeriesSlice["series"]} */ ({});
  for (const key of /** @type {SeriesKey[]} */ (Object.keys(columns))) {
    series[key] = reduced(columns[key], bucketOf, count);
  }
  return { run, from, to, t: starts, series, sampled: false };
}

/**
 * @param {Float64Array} column
 * @param {Int32Array} bucketOf
 * @param {number} count
 */
function reduced(column, bucketOf, count) {
  const min = new Float64Array(count).fill(Number.NaN);
  const max = new Float64Array(count).fill(Number.NaN);
  const last = new Float64Array(count).fill(Number.NaN);
  for (let row = 0; row < column.length; row++) {
    const bucket = bucketOf[row];
    const value = column[row];
    if (!(min[bucket] <= value)) min[bucket] = value;
    if (!(max[bucket] >= value)) max[bucket] = value;
    last[bucket] = value;
  }
  return { min, max, last };
}
