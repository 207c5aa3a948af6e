// @ts-check
/**
 * How the page stands, in words: what is shown, and what is wrong with it. Pure: from state and a
 * clock to keys of words.
 */

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").Cursor} Cursor */
/** @typedef {import("../types.js").Run} Run */
/** @typedef {import("../types.js").Status} Status */

/** Silence after which a live picture is no longer the present, at least. */
const STALE_MS = 3_000;
/** A camera that films slowly is not stale between two messages. */
const STALE_INTERVALS = 5;

/**
 * @typedef {"good" | "warn" | "bad"} Weight
 * @typedef {{key: string, weight: Weight, values?: Record<string, string | number>}} Line one thing
 *   that is said: the key of its words, what they name, and how bad it is
 */

/**
 * Return how the connection stands.
 * @param {Status} status
 * @param {number} now performance.now()
 * @param {number} expectedMs from one message to the next, as far as known
 * @returns {Line}
 */
export function connectionLine(status, now, expectedMs) {
  if (status.connection === "refused") return { key: "refused", weight: "bad" };
  if (status.connection === "connecting") return { key: "connecting", weight: "warn" };
  if (status.connection === "reconnecting") {
    const seconds = Math.max(0, Math.ceil(((status.retryAt ?? now) - now) / 1000));
    return { key: "reconnecting", weight: "bad", values: { seconds } };
  }
  if (!status.sourceRunning) return { key: "sourceEnded", weight: "warn" };
  const silent = silence(status, now);
  if (silent > Math.max(STALE_MS, STALE_INTERVALS * expectedMs)) {
    return { key: "stale", weight: "bad", values: { seconds: Math.round(silent / 1000) } };
  }
  return { key: "connected", weight: "good" };
}

/**
 * Return whether the picture is of a present that is over: live, and nothing comes.
 * @param {Line} connection
 * @param {Cursor} cursor
 */
export function isStale(connection, cursor) {
  return (
    cursor.mode === "live" && connection.key !== "connected" && connection.key !== "sourceEnded"
  );
}

/**
 * Return what else there is to say, the worst first.
 * @param {Status} status
 * @returns {Line[]}
 */
export function troubleLines(status) {
  /** @type {Line[]} */
  const lines = [];
  if (status.replayError !== null) {
    lines.push({ key: "replayError", weight: "bad", values: { reason: status.replayError } });
  }
  if (status.recordingOff !== null) {
    lines.push({ key: "recordingOff", weight: "bad", values: { reason: status.recordingOff } });
  }
  if (status.gaps.length) {
    lines.push({ key: "gaps", weight: "warn", values: { count: status.gaps.length } });
  }
  if (status.dropped)
    lines.push({ key: "dropped", weight: "warn", values: { count: status.dropped } });
  for (const reason of status.degraded)
    lines.push({ key: "degraded", weight: "warn", values: { reason } });
  return lines;
}

/**
 * Return which moment is shown, and how far it is behind the camera.
 * @param {Cursor} cursor
 * @param {Status} status
 * @param {string | null} liveRun run that is filmed now
 * @returns {Line}
 */
export function momentLine(cursor, status, liveRun) {
  if (cursor.t === null) return { key: "noMoment", weight: "warn" };
  const t = cursor.t;
  const behind =
    cursor.run === liveRun && status.serverT !== null ? Math.max(0, status.serverT - t) : null;
  if (cursor.mode === "live")
    return { key: "showsLive", weight: "good", values: { t, behind: behind ?? 0 } };
  const key = cursor.playing ? "plays" : "stands";
  if (behind === null)
    return { key: `${key}Other`, weight: "good", values: { t, run: cursor.run ?? "" } };
  return { key, weight: "good", values: { t, behind } };
}

/**
 * @param {Status} status
 * @param {number} now
 */
function silence(status, now) {
  return status.lastMessageAt === null ? 0 : now - status.lastMessageAt;
}
