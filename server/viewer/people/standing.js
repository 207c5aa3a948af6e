// @ts-check
/**
 * How the page stands, in words: what is shown, and what is wrong with it. Pure: from state and a
 * clock to keys of words.
 */

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").Cursor} Cursor */
/** @typedef {import("../types.js").Recording} Recording */
/** @typedef {import("../types.js").Run} Run */
/** @typedef {import("../types.js").Status} Status */

/** Silence after which a live picture is no longer the present, at least. */
const STALE_MS = 3_000;
/** A camera that films slowly is not stale between two messages. */
const STALE_INTERVALS = 5;
/** A live picture may be so many frames behind, and so long. */
const LAG_FRAMES = 5;
const LAG_SECONDS = 3;
/** Connections that show no present; where the source has ended, the last picture stays true. */
const PRESENT = new Set(["connected", "sourceEnded"]);
/** Live moments that are none of the present. */
const PAST = new Set(["waitsForRun", "lags"]);

/**
 * @typedef {"good" | "warn" | "bad"} Weight
 * @typedef {{key: string, weight: Weight, values?: Record<string, string | number>}} Line one thing
 *   that is said: the key of its words, what they name, and how bad it is
 */

/**
 * Return how long it is from one live message to the next.
 * @param {Run | null} run that is filmed now
 * @returns {number} milliseconds; 0 if it is not known
 */
export function expectedMs(run) {
  return run ? (1000 * Math.min(run.stride, run.metricStep)) / run.tickRate : 0;
}

/**
 * Return how the connection stands.
 * @param {Status} status
 * @param {number} now performance.now()
 * @param {number} expected milliseconds from one message to the next, as far as known
 * @returns {Line}
 */
export function connectionLine(status, now, expected) {
  if (status.connection === "refused") return { key: "refused", weight: "bad" };
  if (status.connection === "connecting") return { key: "connecting", weight: "warn" };
  if (status.connection === "reconnecting") {
    const seconds = Math.max(0, Math.ceil(((status.retryAt ?? now) - now) / 1000));
    return { key: "reconnecting", weight: "bad", values: { seconds } };
  }
  if (!status.sourceRunning) return { key: "sourceEnded", weight: "warn" };
  const silent = since(status.lastMessageAt, now);
  if (silent > Math.max(STALE_MS, STALE_INTERVALS * expected)) {
    return { key: "stale", weight: "bad", values: { seconds: Math.round(silent / 1000) } };
  }
  return { key: "connected", weight: "good" };
}

/**
 * Return whether the picture is of a present that is over: live, and nothing comes, or what comes
 * is not what is shown.
 * @param {Line} connection
 * @param {Line} moment
 * @param {Cursor} cursor
 */
export function isStale(connection, moment, cursor) {
  return cursor.mode === "live" && (!PRESENT.has(connection.key) || PAST.has(moment.key));
}

/**
 * Return what else there is to say, the worst first.
 * @param {Status} status
 * @param {Line[]} [recorded] what there is to say of the recording
 * @returns {Line[]}
 */
export function troubleLines(status, recorded = []) {
  const { replayError, unreadable, recordingOff, gaps, dropped, degraded } = status;
  /** @type {Line[]} */
  const lines = [];
  const say = (/** @type {string} */ key, /** @type {Weight} */ weight, values = {}) =>
    lines.push({ key, weight, values });
  if (replayError !== null) say("replayError", "bad", { reason: replayError });
  if (unreadable) say("unreadable", "bad", unreadable);
  if (recordingOff !== null) say("recordingOff", "bad", { reason: recordingOff });
  lines.push(...recorded);
  if (gaps.length) say("gaps", "warn", { count: gaps.length });
  if (dropped) say("dropped", "warn", { count: dropped });
  for (const reason of degraded) say("degraded", "warn", { reason });
  return lines;
}

/**
 * Return what there is to say of the recording of the run that is shown.
 * @param {Recording} recording
 * @param {string | null} run
 * @param {Set<string>} metricsMissing runs of which some metrics cannot be read
 * @returns {Line[]}
 */
export function recordingLines({ error, eventsMissing }, run, metricsMissing) {
  /** @type {Line[]} */
  const lines = [];
  if (error !== null)
    lines.push({ key: "recordingError", weight: "warn", values: { reason: error } });
  if (run === null) return lines;
  if (eventsMissing.has(run)) lines.push({ key: "eventsMissing", weight: "warn" });
  if (metricsMissing.has(run)) lines.push({ key: "metricsMissing", weight: "warn" });
  return lines;
}

/**
 * Return which moment is shown, and how far it is behind the camera.
 * @param {Cursor} cursor
 * @param {Status} status
 * @param {Run | null} live run that is filmed now
 * @param {number} now performance.now()
 * @returns {Line}
 */
export function momentLine(cursor, status, live, now) {
  const { t, run, mode } = cursor;
  if (t === null) return { key: "noMoment", weight: "warn" };
  const behind =
    run === live?.run && status.serverT !== null ? Math.max(0, status.serverT - t) : null;
  if (mode === "live") {
    if (status.lastFrameAt === null || (live && run !== live.run))
      return { key: "waitsForRun", weight: "warn", values: { t } };
    const seconds = Math.round(since(status.lastFrameAt, now) / 1000);
    if (live && behind !== null && behind > mostBehind(live, status))
      return { key: "lags", weight: "bad", values: { t, behind, seconds } };
    return { key: "showsLive", weight: "good", values: { t, behind: behind ?? 0 } };
  }
  const key = cursor.playing ? "plays" : "stands";
  if (behind === null) return { key: `${key}Other`, weight: "good", values: { t, run: run ?? "" } };
  return { key, weight: "good", values: { t, behind } };
}

/**
 * Return how many ticks the live picture may be behind. A source without a pace has the one that is
 * seen of it.
 * @param {Run} live
 * @param {Status} status
 */
function mostBehind({ stride, tickRate }, { pace }) {
  return Math.max(LAG_FRAMES * stride, LAG_SECONDS * Math.max(tickRate, pace ?? 0));
}

/**
 * @param {number | null} at
 * @param {number} now
 */
function since(at, now) {
  return at === null ? 0 : now - at;
}
