// @ts-check
/**
 * What the pointer does over the charts: hover, click to go to a moment, drag to choose a span,
 * shift-drag to move the cursor along, wheel to zoom, wheel sideways or with shift to move on,
 * double click to follow again.
 */

/** @typedef {import("./charts-panels.js").Panel} Panel */

/**
 * @typedef {object} Wishes
 * @property {(t: number | null, x: number, y: number) => void} hover pixels of the element
 * @property {(brush: {from: number, to: number} | null) => void} brush being chosen
 * @property {(from: number, to: number) => void} choose
 * @property {(t: number) => void} seek
 * @property {(factor: number, about: number) => void} zoom
 * @property {(part: number) => void} move by a part of the span
 * @property {() => void} reset
 */

/** A pointer that went less far than this was a click. */
const CLICK_PIXELS = 4;
/** A wheel that turns by this much doubles the span. */
const WHEEL_DOUBLES = 400;

/** @typedef {{panel: Panel, x: number, t: number, seeks: boolean}} Drag */

export class ChartPointer {
  /**
   * @param {HTMLElement} element
   * @param {(x: number, y: number) => Panel | null} panelAt
   * @param {() => import("./scale.js").Scale} scale ticks to pixels of a plot
   * @param {Wishes} wishes
   */
  constructor(element, panelAt, scale, wishes) {
    this.element = element;
    this.panelAt = panelAt;
    this.scale = scale;
    this.wishes = wishes;
    /** @type {Drag | null} */
    this.drag = null;
    /** What was pressed and let go last was neither a span nor a way along. */
    this.wasClick = false;
    const listen = element.addEventListener.bind(element);
    listen("pointerdown", (event) => this.#down(event));
    listen("pointermove", (event) => this.#move(event));
    listen("pointerup", (event) => this.#up(event));
    listen("pointercancel", () => this.#end());
    listen("pointerleave", () => this.wishes.hover(null, 0, 0));
    listen("wheel", (event) => this.#wheel(event), { passive: false });
    listen("click", (event) => this.#click(event));
    listen("dblclick", () => this.wishes.reset());
  }

  /**
   * @param {MouseEvent} event
   * @returns {[number, number]} pixels of the element
   */
  #place(event) {
    const { left, top } = this.element.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  /**
   * @param {Panel} panel
   * @param {number} x pixels of the element
   */
  #tick(panel, x) {
    const scale = this.scale();
    const t = Math.round(scale.valueAt(x - panel.left));
    return Math.min(scale.to, Math.max(scale.from, t));
  }

  /** @param {PointerEvent} event */
  #down(event) {
    const [x, y] = this.#place(event);
    const panel = this.panelAt(x, y);
    if (event.button !== 0 || !panel) return;
    this.element.setPointerCapture(event.pointerId);
    this.drag = { panel, x, t: this.#tick(panel, x), seeks: event.shiftKey };
    if (event.shiftKey) this.wishes.seek(this.drag.t);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const [x, y] = this.#place(event);
    const panel = this.drag?.panel ?? this.panelAt(x, y);
    if (!panel) {
      this.wishes.hover(null, x, y);
      return;
    }
    const t = this.#tick(panel, x);
    this.wishes.hover(t, x, y);
    if (!this.drag) return;
    if (this.drag.seeks) this.wishes.seek(t);
    else if (this.#isClick(x)) this.wishes.brush(null);
    else this.wishes.brush({ from: this.drag.t, to: t });
  }

  /** @param {PointerEvent} event */
  #up(event) {
    const { drag } = this;
    if (!drag) return;
    const [x] = this.#place(event);
    const t = this.#tick(drag.panel, x);
    const isClick = this.#isClick(x);
    this.wasClick = isClick && !drag.seeks;
    this.#end();
    if (!drag.seeks && !isClick) this.wishes.choose(Math.min(drag.t, t), Math.max(drag.t, t));
  }

  /**
   * The second click of a double click goes nowhere.
   * @param {MouseEvent} event
   */
  #click(event) {
    const [x, y] = this.#place(event);
    const panel = this.panelAt(x, y);
    if (panel && this.wasClick && event.detail < 2) this.wishes.seek(this.#tick(panel, x));
  }

  /** @param {number} x */
  #isClick(x) {
    return this.drag !== null && Math.abs(x - this.drag.x) < CLICK_PIXELS;
  }

  #end() {
    this.drag = null;
    this.wishes.brush(null);
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    const [x, y] = this.#place(event);
    const panel = this.panelAt(x, y);
    if (!panel) return;
    event.preventDefault();
    const { across, along } = turned(event);
    if (across) this.wishes.move(across / panel.width);
    if (along) this.wishes.zoom(2 ** (along / WHEEL_DOUBLES), this.#tick(panel, x));
  }
}

/**
 * Return how far a wheel turned, in pixels: across moves on, along zooms.
 * @param {WheelEvent} event
 */
export function turned({ deltaX, deltaY, deltaMode, shiftKey }) {
  const unit = [1, 16, 400][deltaMode] ?? 1;
  if (shiftKey) return { across: (deltaX + deltaY) * unit, along: 0 };
  if (Math.abs(deltaX) > Math.abs(deltaY)) return { across: deltaX * unit, along: 0 };
  return { across: 0, along: deltaY * unit };
}
