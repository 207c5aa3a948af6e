// @ts-check
/**
 * Which node is under the pointer, or within a line drawn around nodes. Nodes move all the time, so
 * an index would have to be made for every picture: going through 10,000 takes less than 0.1 ms.
 */

import { FLOATS } from "./crowd.js";

/** Pixels beyond a node's centre that still count as it. */
const REACH = 12;

/**
 * Where the nodes are at present.
 * @typedef {object} Standing
 * @property {import("./crowd.js").Crowd} crowd
 * @property {import("./lens.js").Lens} lens
 * @property {number} share
 */

/**
 * Return the row of the node that is nearest to a pixel, or -1.
 * @param {Standing} standing
 * @param {number} x
 * @param {number} y
 */
export function nearest({ crowd, lens, share }, x, y) {
  const { floats } = crowd.page;
  const { scaleX, shiftX, scaleY, shiftY } = lens.factors;
  let best = REACH * REACH;
  let found = -1;
  for (let row = 0; row < crowd.rows; row++) {
    if (!crowd.shows(row)) continue;
    const at = row * FLOATS;
    const u = floats[at] + (floats[at + 2] - floats[at]) * share;
    const v = floats[at + 1] + (floats[at + 3] - floats[at + 1]) * share;
    const dx = u * scaleX + shiftX - x;
    const dy = v * scaleY + shiftY - y;
    const square = dx * dx + dy * dy;
    if (square <= best) {
      best = square;
      found = row;
    }
  }
  return found;
}

/**
 * Return the rows of the nodes within a closed line.
 * @param {Standing} standing
 * @param {[number, number][]} line corners in pixels
 * @returns {number[]}
 */
export function enclosed({ crowd, lens, share }, line) {
  const { scaleX, shiftX, scaleY, shiftY } = lens.factors;
  const found = [];
  for (let row = 0; row < crowd.rows; row++) {
    if (!crowd.shows(row)) continue;
    const [u, v] = crowd.placeOf(row, share);
    if (within(line, u * scaleX + shiftX, v * scaleY + shiftY)) found.push(row);
  }
  return found;
}

/**
 * Whether a line around nodes goes round a place an odd number of times.
 * @param {[number, number][]} line
 * @param {number} x
 * @param {number} y
 */
export function within(line, x, y) {
  let inside = false;
  for (let k = 0, before = line.length - 1; k < line.length; before = k++) {
    const [x0, y0] = line[k];
    const [x1, y1] = line[before];
    if (y0 > y !== y1 > y && x < ((x1 - x0) * (y - y0)) / (y1 - y0) + x0) inside = !inside;
  }
  return inside;
}
