// @ts-check
/** Draws above the nodes: rings and ids of agents in focus, trails, the line of the lasso. */

/** @typedef {import("./trails.js").Trail} Trail */
/** @typedef {import("./lens.js").Lens} Lens */

/** Trails fade towards the past in so many steps. */
const BANDS = 5;
const MOST_LABELS = 12;
const FONT = "600 11px system-ui, sans-serif";

/**
 * All that the marks depend on.
 * @typedef {object} MarksView
 * @property {Lens} lens
 * @property {number} share
 * @property {import("./colors.js").Theme} theme
 * @property {{x: {slope: number, shift: number}, y: {slope: number, shift: number}}} ways from
 *   values to the unit square, for trails
 * @property {{agent: number, place: [number, number], radius: number, selected: boolean}[]} rings
 *   places in the unit square
 * @property {Trail[]} trails
 * @property {[number, number][]} lasso pixels
 */

/**
 * @param {CanvasRenderingContext2D} pen scaled to CSS pixels, and clean
 * @param {MarksView} view
 */
export function drawMarks(pen, view) {
  const { left, top, width, height } = view.lens.plot;
  pen.save();
  pen.beginPath();
  pen.rect(left, top, width, height);
  pen.clip();
  for (const trail of view.trails) drawTrail(pen, view, trail);
  drawRings(pen, view);
  drawLasso(pen, view);
  pen.restore();
}

/** @param {CanvasRenderingContext2D} pen @param {MarksView} view @param {Trail} trail */
function drawTrail(pen, { lens, ways, theme, rings }, trail) {
  const { scaleX, shiftX, scaleY, shiftY } = lens.factors;
  const places = trail.x.map((x, k) => [
    (x * ways.x.slope + ways.x.shift) * scaleX + shiftX,
    (trail.y[k] * ways.y.slope + ways.y.shift) * scaleY + shiftY,
  ]);
  const now = rings.find(({ agent }) => agent === trail.agent);
  if (now) places.push([now.place[0] * scaleX + shiftX, now.place[1] * scaleY + shiftY]);
  pen.strokeStyle = theme.css.accent;
  pen.lineWidth = 1.5;
  pen.lineJoin = "round";
  const length = Math.ceil(places.length / BANDS);
  for (let band = 0; band < BANDS; band++) {
    pen.globalAlpha = (band + 1) / BANDS;
    strokeWay(pen, places.slice(band * length, (band + 1) * length + 1));
  }
  pen.globalAlpha = 1;
}

/** @param {CanvasRenderingContext2D} pen @param {number[][]} places broken where one is NaN */
function strokeWay(pen, places) {
  pen.beginPath();
  let begun = false;
  for (const [x, y] of places) {
    const known = !Number.isNaN(x + y);
    if (known && begun) pen.lineTo(x, y);
    else if (known) pen.moveTo(x, y);
    begun = known;
  }
  pen.stroke();
}

/** @param {CanvasRenderingContext2D} pen @param {MarksView} view */
function drawRings(pen, { lens, theme, rings }) {
  const { scaleX, shiftX, scaleY, shiftY } = lens.factors;
  pen.font = FONT;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  for (const [k, { agent, place, radius, selected }] of rings.entries()) {
    const x = place[0] * scaleX + shiftX;
    const y = place[1] * scaleY + shiftY;
    const color = selected ? theme.css.accent : theme.css.text;
    ring(pen, x, y, radius + 3.5, { color: theme.css.panel, width: 4 });
    ring(pen, x, y, radius + 3.5, { color, width: selected ? 2 : 1.25 });
    if (selected && k < MOST_LABELS) label(pen, `${agent}`, x + radius + 8, y, theme);
  }
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {number} x
 * @param {number} y
 * @param {number} radius
 * @param {{color: string, width: number}} stroke
 */
function ring(pen, x, y, radius, { color, width }) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.strokeStyle = color;
  pen.lineWidth = width;
  pen.stroke();
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {string} words
 * @param {number} x
 * @param {number} y
 * @param {import("./colors.js").Theme} theme
 */
function label(pen, words, x, y, theme) {
  pen.lineWidth = 3;
  pen.lineJoin = "round";
  pen.strokeStyle = theme.css.panel;
  pen.strokeText(words, x, y);
  pen.fillStyle = theme.css.text;
  pen.fillText(words, x, y);
}

/** @param {CanvasRenderingContext2D} pen @param {MarksView} view */
function drawLasso(pen, { lasso, theme }) {
  if (lasso.length < 2) return;
  pen.beginPath();
  for (const [x, y] of lasso) pen.lineTo(x, y);
  pen.closePath();
  pen.globalAlpha = 0.12;
  pen.fillStyle = theme.css.accent;
  pen.fill();
  pen.globalAlpha = 1;
  pen.setLineDash([4, 3]);
  pen.lineWidth = 1.5;
  pen.strokeStyle = theme.css.accent;
  pen.stroke();
  pen.setLineDash([]);
}
