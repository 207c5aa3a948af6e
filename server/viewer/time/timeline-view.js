// @ts-check
/** Which part of the timeline is seen: how far it is stretched, and how far moved. */

/** No tick is wider than so many pixels. */
const WIDEST_TICK = 8;

export class TimelineView {
  constructor() {
    this.width = 1;
    /** How many times as wide as the screen shows it all is. */
    this.zoom = 1;
    /** Pixels of the whole that lie left of what is seen. */
    this.offset = 0;
    this.ticks = 1;
  }

  /** @returns {number} pixels of it all */
  get whole() {
    return this.width * this.zoom;
  }

  /**
   * @param {number} width pixels seen
   * @param {number} ticks of all runs
   */
  fit(width, ticks) {
    this.width = Math.max(1, width);
    this.ticks = Math.max(1, ticks);
    this.#keep();
  }

  /** @param {number} factor above 1: nearer */
  stretch(factor) {
    this.zoom *= factor;
    this.#keep();
  }

  /** @param {number} pixels to the right */
  move(pixels) {
    this.offset += pixels;
    this.#keep();
  }

  reset() {
    this.zoom = 1;
    this.offset = 0;
  }

  #keep() {
    const most = Math.max(1, (this.ticks * WIDEST_TICK) / this.width);
    this.zoom = Math.min(most, Math.max(1, this.zoom));
    this.offset = Math.min(this.whole - this.width, Math.max(0, this.offset));
  }
}
