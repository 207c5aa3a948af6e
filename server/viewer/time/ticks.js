// @ts-check
/** At which ticks there are frames, as far as a run is known. Pure. */

/** @typedef {import("../types.js").Hole} Hole */

/**
 * @typedef {object} Extent where a run has frames
 * @property {number} stride ticks from one frame to the next
 * @property {number | null} first tick of the first; null: none is known
 * @property {number | null} last
 * @property {Hole[]} holes stretches of which the recording has no frames
 */

/**
 * Return where a run has frames.
 * @param {import("../types.js").Run | undefined} run
 * @param {number | null} newest tick of the newest frame that came live, if it is of this run
 * @returns {Extent}
 */
export function extentOf(run, newest) {
  // The list is behind what is filmed: only what comes live tells the end of the run that grows.
  const listed = run?.current && newest === null ? Number.POSITIVE_INFINITY : run?.lastFrame;
  const ends = [listed ?? null, newest].filter((t) => t !== null);
  return {
    stride: run?.stride ?? 1,
    first: run?.firstFrame ?? null,
    last: ends.length ? Math.max(...ends) : null,
    holes: (run?.holes ?? []).filter(isOfFrames),
  };
}

/**
 * A live gap alone is none of the recording.
 * @param {Hole} hole
 */
function isOfFrames({ kind, lines }) {
  return kind === "frames" && lines !== undefined;
}

/**
 * Return the tick of the last frame at or before `t`; of the first, where there is none.
 * @param {Extent} extent
 * @param {number} t
 */
export function lastTick(extent, t) {
  const tick = onGrid(extent, t, Math.floor);
  const hole = holeAt(extent, tick);
  if (!hole || extent.first === null || hole.from_t <= extent.first) return tick;
  return lastTick(extent, hole.from_t - 1);
}

/**
 * Return the tick of the first frame at or after `t`; of the last, where there is none.
 * @param {Extent} extent
 * @param {number} t
 */
export function firstTick(extent, t) {
  const tick = onGrid(extent, t, Math.ceil);
  const hole = holeAt(extent, tick);
  if (!hole || extent.last === null || hole.to_t >= extent.last) return tick;
  return firstTick(extent, hole.to_t + 1);
}

/**
 * @param {Extent} extent
 * @param {number} t
 * @param {(value: number) => number} round
 */
function onGrid({ stride, first, last }, t, round) {
  if (first === null || last === null) return Math.max(0, Math.floor(t));
  return Math.min(Math.max(round(t / stride) * stride, first), last);
}

/**
 * @param {Extent} extent
 * @param {number} t
 */
function holeAt({ holes }, t) {
  return holes.find(({ from_t, to_t }) => from_t <= t && t <= to_t);
}
