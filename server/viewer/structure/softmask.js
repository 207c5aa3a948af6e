// @ts-check
/** Shapes of nodes as how much of each pixel they cover: what the programs in shaders.js reckon. */

import { SHAPES } from "./shaders.js";

/** Places within a pixel that are told apart, along each axis. */
const PLACES = 4;

/**
 * Coverage 0 to 256 of `side` times `side` pixels.
 * @typedef {{side: number, half: number, coverage: Uint16Array}} Mask `half` is how far the first
 *   pixel is left of, and above, the pixel of the middle
 */

/** Masks of all radii that were asked for, of one growth. */
export class Masks {
  constructor() {
    this.grow = 1;
    /** @type {Map<number, Mask>} */
    this.known = new Map();
  }

  /** @param {number} grow device pixels of a pixel of radius */
  growTo(grow) {
    if (grow === this.grow) return;
    this.grow = grow;
    this.known.clear();
  }

  /**
   * @param {number} size radius in sixteenths of a pixel, 0 to 255
   * @param {number} shape see SHAPES
   * @param {number} x place of the middle within its pixel, 0 to 1
   * @param {number} y
   */
  of(size, shape, x, y) {
    const [column, row] = [Math.floor(x * PLACES), Math.floor(y * PLACES)];
    const key = ((size * 3 + shape) * PLACES + column) * PLACES + row;
    let mask = this.known.get(key);
    if (!mask) {
      const place = { x: (column + 0.5) / PLACES, y: (row + 0.5) / PLACES };
      mask = maskOf((size / 16) * this.grow, shape, place);
      this.known.set(key, mask);
    }
    return mask;
  }
}

/**
 * @param {number} radius in device pixels
 * @param {number} shape
 * @param {{x: number, y: number}} place
 * @returns {Mask}
 */
function maskOf(radius, shape, place) {
  const half = Math.ceil((shape === SHAPES.none ? radius : radius * 1.21) + 0.5);
  const side = 2 * half + 1;
  const coverage = new Uint16Array(side * side);
  const beyond =
    shape === SHAPES.none ? beyondCircle : shape === SHAPES.buy ? beyondUp : beyondDown;
  for (let k = 0; k < coverage.length; k++) {
    const x = (k % side) - half + 0.5 - place.x;
    const y = Math.floor(k / side) - half + 0.5 - place.y;
    coverage[k] = Math.round(256 * Math.min(1, Math.max(0, 0.5 - beyond(x, y, radius))));
  }
  return { side, half, coverage };
}

/** @param {number} x @param {number} y @param {number} radius */
function beyondCircle(x, y, radius) {
  return Math.hypot(x, y) - radius;
}

/** @param {number} x @param {number} y downwards @param {number} radius */
function beyondUp(x, y, radius) {
  const inner = 0.7 * radius;
  const up = -y + 0.5 * inner;
  return Math.max(Math.abs(x) * 0.866 + up * 0.5, -up) - inner;
}

/** @param {number} x @param {number} y downwards @param {number} radius */
function beyondDown(x, y, radius) {
  return beyondUp(x, -y, radius);
}
