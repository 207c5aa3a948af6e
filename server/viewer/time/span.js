// @ts-check
/** The visible span: nearer, farther, moved on, and along with the cursor. */

/** @typedef {import("../types.js").Span} Span */
/** @typedef {import("../types.js").Cursor} Cursor */
/** @typedef {{from: number, to: number}} Section first and last tick */

/** Ticks that are shown when nothing else is asked for: half a minute at 100 ticks a second. */
export const USUAL_LENGTH = 3_000;
const LEAST_LENGTH = 10;
/** A cursor that plays is kept so far from the ends of the span, as a part of its length. */
const MARGIN = 0.1;

/**
 * Return a span as long as asked for that lies within limits as far as there is room; whole ticks.
 * @param {Section} wanted
 * @param {Section} limits
 * @returns {Section}
 */
export function within(wanted, limits) {
  const most = Math.max(LEAST_LENGTH, limits.to - limits.from);
  const length = Math.min(most, Math.max(LEAST_LENGTH, Math.round(wanted.to - wanted.from)));
  const latest = Math.max(limits.from, limits.to - length);
  const from = Math.round(Math.min(latest, Math.max(limits.from, wanted.from)));
  return { from, to: from + length };
}

/**
 * Return a section `factor` times as long, in which `about` stays in its place.
 * @param {Section} section
 * @param {number} factor below 1: nearer
 * @param {number} about
 * @returns {Section}
 */
export function zoomed({ from, to }, factor, about) {
  return { from: about - (about - from) * factor, to: about + (to - about) * factor };
}

/**
 * Return where a span belongs that moves along. With what comes live it ends at the newest tick;
 * with a cursor that plays a recording it goes on once the cursor comes near its end.
 * @param {Span} span
 * @param {Cursor} cursor with a tick
 * @param {number} newest
 * @param {Section} limits
 * @returns {Section}
 */
export function followed(span, cursor, newest, limits) {
  const length = span.to - span.from || USUAL_LENGTH;
  if (cursor.mode === "live") return { from: newest - length, to: newest };
  const t = cursor.t ?? newest;
  if (t < span.from || t > span.to) return centred(t, length, limits);
  const margin = Math.round(MARGIN * length);
  const late = Math.min(t + margin - span.to, limits.to - span.to);
  const early = Math.min(span.from + margin - t, span.from - limits.from);
  const shift = late > 0 ? late : -Math.max(0, early);
  return { from: span.from + shift, to: span.to + shift };
}

/**
 * @param {number} t
 * @param {number} length
 * @param {Section} limits
 * @returns {Section}
 */
export function centred(t, length, limits) {
  return within({ from: t - length / 2, to: t + length / 2 }, limits);
}
