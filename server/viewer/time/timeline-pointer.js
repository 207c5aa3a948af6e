// @ts-check
/** What the pointer does on the timeline. */

import { turned } from "./charts-pointer.js";

/**
 * All places are pixels of the element.
 * @typedef {object} TimelineWishes
 * @property {(x: number | null, y: number) => void} hover
 * @property {() => void} press the pointer goes down: it seeks from here on
 * @property {(x: number) => void} seek
 * @property {(factor: number, x: number) => void} stretch
 * @property {(pixels: number) => void} move
 * @property {() => void} reset
 */

/** A wheel that turns by this much doubles the timeline. */
const WHEEL_DOUBLES = 300;

export class TimelinePointer {
  /**
   * @param {HTMLElement} element
   * @param {TimelineWishes} wishes
   */
  constructor(element, wishes) {
    this.element = element;
    this.wishes = wishes;
    this.drags = false;
    const listen = element.addEventListener.bind(element);
    listen("pointerdown", (event) => this.#down(event));
    listen("pointermove", (event) => this.#move(event));
    listen("pointerup", () => this.#end());
    listen("pointercancel", () => this.#end());
    listen("pointerleave", () => this.wishes.hover(null, 0));
    listen("wheel", (event) => this.#wheel(event), { passive: false });
    listen("dblclick", () => this.wishes.reset());
  }

  /** @param {MouseEvent} event */
  #place(event) {
    const { left, top } = this.element.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button !== 0) return;
    this.element.setPointerCapture(event.pointerId);
    this.drags = true;
    this.wishes.press();
    this.wishes.seek(this.#place(event).x);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const { x, y } = this.#place(event);
    this.wishes.hover(x, y);
    if (this.drags) this.wishes.seek(x);
  }

  #end() {
    this.drags = false;
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const { across, along } = turned(event);
    if (across) this.wishes.move(across);
    if (along) this.wishes.stretch(2 ** (-along / WHEEL_DOUBLES), this.#place(event).x);
  }
}
