// @ts-check
/** Bursts and shocks in few pixels. */

import { firstPlace } from "../data/sorted.js";

/** @typedef {import("../types.js").MarketEvent} MarketEvent */

/**
 * @param {MarketEvent[]} events ascending
 * @param {number} from
 * @param {number} to
 * @returns {MarketEvent[]} those of ticks from … to, both included
 */
export function eventsBetween(events, from, to) {
  return events.slice(firstFrom(events, from), firstFrom(events, Math.floor(to) + 1));
}

/**
 * Return the index of the first event at or after a tick.
 * @param {MarketEvent[]} events ascending
 * @param {number} t
 */
export function firstFrom(events, t) {
  return firstPlace(events.length, (place) => events[place].t >= t);
}

/**
 * What lies within a few pixels, as one mark.
 * @typedef {object} Mark
 * @property {MarketEvent["type"]} type
 * @property {number} x in the middle of what it stands for
 * @property {number} count
 * @property {MarketEvent} strongest the event with the greatest score, its sign left aside
 */

/**
 * Gather events whose marks would lie on one another.
 * @param {MarketEvent[]} events ascending
 * @param {(t: number) => number} place
 * @param {number} width pixels that a mark takes
 * @returns {Mark[]}
 */
export function marked(events, place, width) {
  /** @type {Mark[]} */
  const marks = [];
  /** @type {Map<string, {mark: Mark, begin: number}>} */
  const open = new Map();
  for (const event of events) {
    const x = place(event.t);
    const near = open.get(event.type);
    if (near && x - near.begin < width) {
      near.mark.count += 1;
      near.mark.x = (near.begin + x) / 2;
      if (Math.abs(event.score) > Math.abs(near.mark.strongest.score)) near.mark.strongest = event;
      continue;
    }
    const mark = { type: event.type, x, count: 1, strongest: event };
    marks.push(mark);
    open.set(event.type, { mark, begin: x });
  }
  return marks;
}

/**
 * Return the mark nearest to a pixel, if it is near at all.
 * @param {Mark[]} marks
 * @param {number} x
 * @param {number} reach pixels
 * @returns {Mark | null}
 */
export function nearestMark(marks, x, reach) {
  let nearest = null;
  let distance = reach;
  for (const mark of marks) {
    const found = Math.abs(mark.x - x);
    if (found <= distance) {
      nearest = mark;
      distance = found;
    }
  }
  return nearest;
}

/**
 * Draw the shape of a kind of event: a burst is a diamond, a shock a triangle that points down
 * where the price fell.
 * @param {CanvasRenderingContext2D} context its fill style is the colour
 * @param {Mark} mark
 * @param {number} x
 * @param {number} y middle
 * @param {number} radius
 */
export function drawMark(context, mark, x, y, radius) {
  context.beginPath();
  if (mark.type === "burst") {
    context.moveTo(x, y - radius);
    context.lineTo(x + radius, y);
    context.lineTo(x, y + radius);
    context.lineTo(x - radius, y);
  } else {
    const tip = mark.strongest.score < 0 ? radius : -radius;
    context.moveTo(x - radius, y - tip);
    context.lineTo(x + radius, y - tip);
    context.lineTo(x, y + tip);
  }
  context.fill();
}
