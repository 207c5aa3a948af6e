// @ts-check
/** Drawing with the screen's frames, once a frame at most, and not at all when nothing changed. */

export class Redraw {
  /**
   * @param {() => void} draw
   * @param {number} [restMs] what is not urgent waits until so long after the last drawing
   */
  constructor(draw, restMs = 0) {
    this.draw = draw;
    this.restMs = restMs;
    this.drawnAt = Number.NEGATIVE_INFINITY;
    /** @type {number | undefined} */
    this.frame = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** Draw with the next frame. */
  now() {
    if (this.frame !== undefined) return;
    this.frame = requestAnimationFrame(() => {
      this.#forget();
      this.drawnAt = performance.now();
      this.draw();
    });
  }

  /** Draw soon: with the next frame after the rest. */
  soon() {
    const wait = this.drawnAt + this.restMs - performance.now();
    if (wait <= 0) this.now();
    else this.timer ??= setTimeout(() => this.now(), wait);
  }

  dispose() {
    this.draw = () => undefined;
    this.#forget();
  }

  #forget() {
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    this.frame = undefined;
    this.timer = undefined;
  }
}
