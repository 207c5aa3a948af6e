// @ts-check
/** From the unit square, in which layouts place the nodes, to pixels: size, zoom and pan. */

const MOST_ZOOM = 500;
const LEAST_ZOOM = 0.5;

/** @typedef {{left: number, top: number, width: number, height: number}} Box */

/** Room for labels around the plot, in pixels. */
const MARGINS = Object.freeze({ left: 62, right: 14, top: 10, bottom: 44 });

/** The way from the unit square to the pixels of the stage. */
export class Lens {
  constructor() {
    this.width = 1;
    this.height = 1;
    /** @type {"axes" | "square"} */
    this.kind = "axes";
    this.zoomX = 1;
    this.zoomY = 1;
    /** In units of the box. */
    this.panX = 0;
    this.panY = 0;
  }

  /** @param {number} width @param {number} height in CSS pixels */
  resize(width, height) {
    this.width = width;
    this.height = height;
  }

  /** Show the whole unit square. */
  reset() {
    this.zoomX = 1;
    this.zoomY = 1;
    this.panX = 0;
    this.panY = 0;
  }

  /** The pixels that nodes are drawn in. @returns {Box} */
  get plot() {
    const margins = this.kind === "axes" ? MARGINS : { left: 0, right: 0, top: 0, bottom: 0 };
    return {
      left: margins.left,
      top: margins.top,
      width: Math.max(1, this.width - margins.left - margins.right),
      height: Math.max(1, this.height - margins.top - margins.bottom),
    };
  }

  /** The pixels of the unit square when nothing is zoomed. @returns {Box} */
  get box() {
    const { plot } = this;
    if (this.kind === "axes") return plot;
    const side = Math.max(1, Math.min(plot.width, plot.height) - 24);
    return {
      left: plot.left + (plot.width - side) / 2,
      top: plot.top + (plot.height - side) / 2,
      width: side,
      height: side,
    };
  }

  /**
   * The whole way as factors: `x = u * scaleX + shiftX`, `y = v * scaleY + shiftY`; `y` grows
   * downwards, `v` upwards.
   */
  get factors() {
    const { left, top, width, height } = this.box;
    return {
      scaleX: this.zoomX * width,
      shiftX: left + this.panX * width,
      scaleY: -this.zoomY * height,
      shiftY: top + height - this.panY * height,
    };
  }

  /** How far it is zoomed: 1 for not at all. */
  get zoom() {
    return Math.sqrt(this.zoomX * this.zoomY);
  }

  /**
   * Zoom about a pixel.
   * @param {number} x
   * @param {number} y
   * @param {number} factor
   * @param {"both" | "x" | "y"} [axis]
   */
  zoomAt(x, y, factor, axis = "both") {
    const { scaleX, shiftX, scaleY, shiftY } = this.factors;
    const u = (x - shiftX) / scaleX;
    const v = (y - shiftY) / scaleY;
    if (axis !== "y") {
      const zoom = clamp(this.zoomX * factor, LEAST_ZOOM, MOST_ZOOM);
      this.panX += u * (this.zoomX - zoom);
      this.zoomX = zoom;
    }
    if (axis !== "x") {
      const zoom = clamp(this.zoomY * factor, LEAST_ZOOM, MOST_ZOOM);
      this.panY += v * (this.zoomY - zoom);
      this.zoomY = zoom;
    }
    this.#stay();
  }

  /** @param {number} dx @param {number} dy in pixels, downwards */
  panBy(dx, dy) {
    const { width, height } = this.box;
    this.panX += dx / width;
    this.panY -= dy / height;
    this.#stay();
  }

  /**
   * Bring a place of the unit square to the middle, if it is outside of the plot.
   * @param {number} u
   * @param {number} v
   * @returns {boolean} the lens has moved
   */
  reveal(u, v) {
    const { scaleX, shiftX, scaleY, shiftY } = this.factors;
    const [x, y] = [u * scaleX + shiftX, v * scaleY + shiftY];
    const { left, top, width, height } = this.plot;
    if (x >= left && x <= left + width && y >= top && y <= top + height) return false;
    this.panBy(left + width / 2 - x, top + height / 2 - y);
    return true;
  }

  /** The middle of the plot stays within the unit square: nobody gets lost. */
  #stay() {
    this.panX = 0.5 - clamp((0.5 - this.panX) / this.zoomX, 0, 1) * this.zoomX;
    this.panY = 0.5 - clamp((0.5 - this.panY) / this.zoomY, 0, 1) * this.zoomY;
  }
}

/** @param {number} value @param {number} least @param {number} most */
function clamp(value, least, most) {
  return Math.min(most, Math.max(least, value));
}
