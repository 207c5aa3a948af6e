// @ts-check
/** A canvas as large as its parent, sharp on every screen. */

export class Surface {
  /**
   * @param {HTMLElement} parent the canvas is put into it
   * @param {string} name class of the canvas
   */
  constructor(parent, name) {
    this.canvas = document.createElement("canvas");
    this.canvas.className = name;
    this.canvas.setAttribute("aria-hidden", "true");
    parent.append(this.canvas);
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    this.width = 0;
    this.height = 0;
    /** @type {{color: string, pattern: CanvasPattern} | null} */
    this.hatched = null;
  }

  /**
   * Take another size, in CSS pixels.
   * @param {number} width
   * @param {number} height
   */
  resize(width, height) {
    this.width = width;
    this.height = height;
  }

  /**
   * Begin a drawing: empty, one unit a CSS pixel.
   * @returns {CanvasRenderingContext2D}
   */
  begin() {
    const ratio = devicePixelRatio || 1;
    const [columns, rows] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    if (this.canvas.width !== columns || this.canvas.height !== rows) {
      this.canvas.width = columns;
      this.canvas.height = rows;
    }
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.clearRect(0, 0, this.width, this.height);
    return this.context;
  }

  /**
   * Return a filling of slanted lines: ticks that are missing.
   * @param {string} color
   * @returns {CanvasPattern}
   */
  hatching(color) {
    if (this.hatched?.color !== color) {
      this.hatched = { color, pattern: slanted(this.context, color) };
    }
    return this.hatched.pattern;
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} color
 * @returns {CanvasPattern}
 */
function slanted(context, color) {
  const tile = document.createElement("canvas");
  tile.width = 6;
  tile.height = 6;
  const drawing = /** @type {CanvasRenderingContext2D} */ (tile.getContext("2d"));
  drawing.strokeStyle = color;
  drawing.lineWidth = 1;
  drawing.beginPath();
  for (const shift of [-6, 0, 6]) {
    drawing.moveTo(shift, 6);
    drawing.lineTo(shift + 6, 0);
  }
  drawing.stroke();
  return /** @type {CanvasPattern} */ (context.createPattern(tile, "repeat"));
}
