// @ts-check
/** Pointer, wheel and keys over the plot, as what is meant by them. */

const STEP = { pan: 48, zoom: 1.35, wheel: 0.0016 };
/** Pixels that the pointer may move in a click. */
const SLACK = 4;

/**
 * @typedef {object} Meanings
 * @property {(dx: number, dy: number) => void} pan
 * @property {(x: number, y: number, factor: number) => void} zoom about a pixel
 * @property {(factor: number) => void} zoomMiddle
 * @property {() => void} reset
 * @property {(x: number, y: number) => void} hover
 * @property {() => void} leave
 * @property {(x: number, y: number, more: boolean) => void} click
 * @property {(line: [number, number][], done: boolean, more: boolean) => void} lasso
 * @property {() => void} escape
 * @property {() => boolean} drawing a plain drag draws the lasso
 */

/** @typedef {{x: number, y: number}} Place */

/** Follows the pointers that are down. */
class Pointers {
  /** @param {HTMLElement} stage @param {Meanings} meanings */
  constructor(stage, meanings) {
    this.stage = stage;
    this.meanings = meanings;
    /** @type {Map<number, Place>} */
    this.down = new Map();
    /** @type {Place | null} where a click would be */
    this.click = null;
    /** @type {[number, number][] | null} */
    this.line = null;
  }

  /** @param {PointerEvent} event */
  press(event) {
    if (event.button !== 0) return;
    const place = this.#placeOf(event);
    this.stage.setPointerCapture(event.pointerId);
    this.down.set(event.pointerId, place);
    const alone = this.down.size === 1;
    this.click = alone ? place : null;
    const draws = alone && (event.shiftKey || this.meanings.drawing());
    this.line = draws ? [[place.x, place.y]] : null;
  }

  /** @param {PointerEvent} event */
  move(event) {
    const place = this.#placeOf(event);
    const before = this.down.get(event.pointerId);
    if (!before) {
      this.meanings.hover(place.x, place.y);
      return;
    }
    if (this.click && Math.hypot(place.x - this.click.x, place.y - this.click.y) < SLACK) return;
    this.click = null;
    if (this.down.size === 2) this.#pinch(event.pointerId, before, place);
    else if (this.line) this.#draw(place);
    else this.meanings.pan(place.x - before.x, place.y - before.y);
    this.down.set(event.pointerId, place);
  }

  /** @param {PointerEvent} event */
  release(event) {
    if (!this.down.delete(event.pointerId)) return;
    const more = event.shiftKey || event.ctrlKey || event.metaKey;
    if (this.click) this.meanings.click(this.click.x, this.click.y, more);
    else if (this.line) this.meanings.lasso(this.line, true, more);
    this.click = null;
    this.line = null;
  }

  /** @param {PointerEvent} event */
  cancel(event) {
    this.down.delete(event.pointerId);
    this.click = null;
    this.dropLine();
  }

  /** @returns {boolean} there was one */
  dropLine() {
    const drawn = this.line !== null;
    this.line = null;
    if (drawn) this.meanings.lasso([], false, false);
    return drawn;
  }

  /** @param {Place} place */
  #draw(place) {
    this.line?.push([place.x, place.y]);
    if (this.line) this.meanings.lasso(this.line, false, false);
  }

  /** @param {number} id @param {Place} before @param {Place} now */
  #pinch(id, before, now) {
    this.dropLine();
    const other = [...this.down].find(([known]) => known !== id)?.[1];
    if (!other) return;
    const was = Math.hypot(before.x - other.x, before.y - other.y);
    const is = Math.hypot(now.x - other.x, now.y - other.y);
    if (was > 0) this.meanings.zoom((now.x + other.x) / 2, (now.y + other.y) / 2, is / was);
    this.meanings.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
  }

  /** @param {PointerEvent} event @returns {Place} */
  #placeOf(event) {
    const { left, top } = this.stage.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }
}

/**
 * Tell what the user means by what happens over an element.
 * @param {HTMLElement} stage
 * @param {Meanings} meanings
 * @returns {() => void} ends it
 */
export function followGestures(stage, meanings) {
  const pointers = new Pointers(stage, meanings);
  const ending = new AbortController();
  const options = { signal: ending.signal };
  stage.addEventListener("pointerdown", (event) => pointers.press(event), options);
  stage.addEventListener("pointermove", (event) => pointers.move(event), options);
  stage.addEventListener("pointerup", (event) => pointers.release(event), options);
  stage.addEventListener("pointercancel", (event) => pointers.cancel(event), options);
  stage.addEventListener("pointerleave", () => meanings.leave(), options);
  stage.addEventListener("wheel", (event) => onWheel(event, stage, meanings), {
    ...options,
    passive: false,
  });
  stage.addEventListener("keydown", (event) => onKey(event, meanings, pointers), options);
  return () => ending.abort();
}

/** @param {WheelEvent} event @param {HTMLElement} stage @param {Meanings} meanings */
function onWheel(event, stage, meanings) {
  event.preventDefault();
  const { left, top } = stage.getBoundingClientRect();
  const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
  const pinch = event.ctrlKey ? 6 : 1; // a pinch on a touchpad comes as small steps with ctrl
  const factor = Math.exp(-event.deltaY * lines * pinch * STEP.wheel);
  meanings.zoom(event.clientX - left, event.clientY - top, factor);
}

/** @param {KeyboardEvent} event @param {Meanings} meanings @param {Pointers} pointers */
function onKey(event, meanings, pointers) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  /** @type {Record<string, () => void>} */
  const meant = {
    ArrowLeft: () => meanings.pan(STEP.pan, 0),
    ArrowRight: () => meanings.pan(-STEP.pan, 0),
    ArrowUp: () => meanings.pan(0, STEP.pan),
    ArrowDown: () => meanings.pan(0, -STEP.pan),
    "+": () => meanings.zoomMiddle(STEP.zoom),
    "=": () => meanings.zoomMiddle(STEP.zoom),
    "-": () => meanings.zoomMiddle(1 / STEP.zoom),
    0: () => meanings.reset(),
    Escape: () => pointers.dropLine() || meanings.escape(),
  };
  const act = meant[event.key];
  if (!act) return;
  event.preventDefault();
  event.stopPropagation(); // here, arrows do not step through the frames
  act();
}
