// @ts-check
/** The three canvases of the plot, one over the other: axes, nodes and edges, marks. */

import { element as make } from "../people/elements.js";

/** Finer screens are drawn this fine: more costs and shows nothing. */
const MOST_RATIO = 2;

/** Canvases of the same size, with pens in CSS pixels for the first and the last. */
export class Layers {
  constructor() {
    this.below = make("canvas");
    this.middle = make("canvas");
    this.above = make("canvas");
    this.axes = penOf(this.below);
    this.marks = penOf(this.above);
  }

  /**
   * The middle one is resized by who draws into it.
   * @param {number} width
   * @param {number} height in CSS pixels
   * @returns {number} device pixels of a CSS pixel
   */
  resize(width, height) {
    const ratio = Math.min(MOST_RATIO, devicePixelRatio || 1);
    for (const pen of [this.axes, this.marks]) {
      pen.canvas.width = Math.round(width * ratio);
      pen.canvas.height = Math.round(height * ratio);
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    return ratio;
  }

  /**
   * All three in one.
   * @param {string} ground
   * @param {ImageBitmap} middle what the middle one shows
   * @returns {HTMLCanvasElement}
   */
  together(ground, middle) {
    const whole = make("canvas");
    [whole.width, whole.height] = [this.below.width, this.below.height];
    const pen = penOf(whole);
    pen.fillStyle = ground;
    pen.fillRect(0, 0, whole.width, whole.height);
    for (const canvas of [this.below, middle, this.above]) pen.drawImage(canvas, 0, 0);
    middle.close();
    return whole;
  }
}

/** @param {HTMLCanvasElement} canvas */
function penOf(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}
