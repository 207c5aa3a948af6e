// @ts-check
/** A picture in memory, and how lines and masks are put into it. */

import { DASH } from "./shaders.js";

/** @typedef {import("./softmask.js").Mask} Mask */

/** Two of a pixel's four bytes, which are reckoned with at once. */
const EVEN = 0x00ff00ff;

/**
 * Pixels of four bytes, alpha, blue, green, red from above, colours premultiplied. What is drawn
 * lies over what is there (Porter and Duff, 1984).
 */
export class Pixels {
  /** @param {number} width @param {number} height */
  constructor(width, height) {
    this.width = width;
    this.words = new Uint32Array(width * height);
    this.shown = new ImageData(width, height);
    this.shownWords = new Uint32Array(this.shown.data.buffer);
    this.left = 0;
    this.top = 0;
    this.right = width;
    this.bottom = height;
  }

  /**
   * Forget everything, and draw within a rectangle from now on.
   * @param {number[]} scissor left, bottom, width, height; bottom is from below
   */
  clear([left, bottom, width, height]) {
    const rows = this.words.length / this.width;
    this.words.fill(0);
    this.left = Math.max(0, Math.round(left));
    this.right = Math.min(this.width, Math.round(left + width));
    this.top = Math.max(0, Math.round(rows - bottom - height));
    this.bottom = Math.min(rows, Math.round(rows - bottom));
  }

  /**
   * Draw a line of one pixel's width.
   * @param {number} x
   * @param {number} y
   * @param {number} toX
   * @param {number} toY
   * @param {number} color premultiplied
   * @param {number} dash pixels of a dash with its gap; 0 for none
   */
  line(x, y, toX, toY, color, dash) {
    const [dx, dy] = [toX - x, toY - y];
    const steps = Math.ceil(Math.max(Math.abs(dx), Math.abs(dy)));
    if (!(steps > 0)) return;
    const [first, last] = this.#within(x, y, dx, dy);
    const through = 256 - (color >>> 24);
    const dashes = dash ? Math.hypot(dx, dy) / dash / steps : 0;
    const { words, width } = this;
    const end = Math.floor(last * steps - 0.5);
    for (let k = Math.max(0, Math.ceil(first * steps - 0.5)); k <= end; k++) {
      const along = k + 0.5;
      const passed = along * dashes;
      if (passed - Math.floor(passed) > DASH.drawn) continue;
      const at =
        Math.floor(y + (dy * along) / steps) * width + Math.floor(x + (dx * along) / steps);
      words[at] = over(color, words[at], through);
    }
  }

  /**
   * Put a mask where its first pixel is at `left`, `top`.
   * @param {Mask} mask
   * @param {number} left
   * @param {number} top
   * @param {number} color premultiplied
   */
  stamp({ side, coverage }, left, top, color) {
    const { words, width } = this;
    const [fromX, toX] = [Math.max(0, this.left - left), Math.min(side, this.right - left)];
    const [fromY, toY] = [Math.max(0, this.top - top), Math.min(side, this.bottom - top)];
    const isOpaque = color >>> 24 === 255;
    for (let row = fromY; row < toY; row++) {
      const line = (top + row) * width + left;
      for (let column = fromX; column < toX; column++) {
        const covered = coverage[row * side + column];
        if (covered === 0) continue;
        const at = line + column;
        if (covered === 256 && isOpaque) {
          words[at] = color;
          continue;
        }
        const part = scaled(color, covered);
        words[at] = over(part, words[at], 256 - (part >>> 24));
      }
    }
  }

  /** The picture as a canvas takes it. @returns {ImageData} the same one each time */
  image() {
    const { words, shownWords } = this;
    for (let at = 0; at < words.length; at++) {
      const word = words[at];
      const alpha = word >>> 24;
      shownWords[at] = alpha === 0 || alpha === 255 ? word : divided(word, alpha);
    }
    return this.shown;
  }

  /**
   * Return from where to where a line runs within the rectangle, as shares of its length (Liang
   * and Barsky, 1984).
   * @param {number} x
   * @param {number} y
   * @param {number} dx
   * @param {number} dy
   */
  #within(x, y, dx, dy) {
    let [first, last] = [0, 1];
    for (const [speed, room] of [
      [-dx, x - this.left],
      [dx, this.right - 0.001 - x],
      [-dy, y - this.top],
      [dy, this.bottom - 0.001 - y],
    ]) {
      if (speed === 0 && room < 0) return [1, 0];
      const share = room / speed;
      if (speed < 0) first = Math.max(first, share);
      else if (speed > 0) last = Math.min(last, share);
    }
    return [first, last];
  }
}

/** @param {number} word @param {number} share 0 to 256 */
function scaled(word, share) {
  const even = (Math.imul(word & EVEN, share) >>> 8) & EVEN;
  const odd = Math.imul((word >>> 8) & EVEN, share) & ~EVEN;
  return (even | odd) >>> 0;
}

/** @param {number} color @param {number} below @param {number} through of what is below, 0 to 256 */
function over(color, below, through) {
  return below === 0 ? color : (color + scaled(below, through)) >>> 0;
}

/** @param {number} word @param {number} alpha 1 to 254 */
function divided(word, alpha) {
  const factor = 255 / alpha;
  const blue = Math.min(255, ((word >>> 16) & 255) * factor);
  const green = Math.min(255, ((word >>> 8) & 255) * factor);
  const red = Math.min(255, (word & 255) * factor);
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
