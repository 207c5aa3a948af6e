// @ts-check
/** Draws the axes below the nodes: grid, ticks, labels with units, and where the unknown stands. */

import { numberText } from "../people/numbers.js";
import { UNITS } from "./features.js";
import { ticks } from "./range.js";

/** @typedef {import("./axeslayout.js").Axis} Axis */
/** @typedef {import("./lens.js").Lens} Lens */

/** Pixels from one tick to the next, about. */
const SPACING = { x: 100, y: 52 };
const FONT = "11px system-ui, sans-serif";

/**
 * All that a drawing of the axes depends on.
 * @typedef {object} AxesView
 * @property {Lens} lens
 * @property {import("./axeslayout.js").AxesLayout} layout
 * @property {number} share
 * @property {import("./colors.js").Theme} theme
 * @property {import("../people/text.js").Text} text
 */

/**
 * @param {CanvasRenderingContext2D} pen scaled to CSS pixels, and clean
 * @param {AxesView} view
 */
export function drawAxes(pen, view) {
  const { lens, layout, share, theme } = view;
  const { scaleX, shiftX, scaleY, shiftY } = lens.factors;
  const plot = lens.plot;
  pen.fillStyle = theme.css.panel;
  pen.fillRect(plot.left, plot.top, plot.width, plot.height);
  pen.font = FONT;
  const x = pixelsOf(layout.x.at(share), scaleX, shiftX);
  const y = pixelsOf(layout.y.at(share), scaleY, shiftY);
  drawHorizontal(pen, view, x);
  drawVertical(pen, view, y);
  pen.strokeStyle = theme.css["line-strong"];
  pen.lineWidth = 1;
  pen.strokeRect(plot.left + 0.5, plot.top + 0.5, plot.width - 1, plot.height - 1);
}

/**
 * Return the way from values to pixels.
 * @param {{slope: number, shift: number}} way
 * @param {number} scale
 * @param {number} shift
 */
function pixelsOf(way, scale, shift) {
  const slope = way.slope * scale;
  const start = way.shift * scale + shift;
  return {
    to: (/** @type {number} */ value) => value * slope + start,
    back: (/** @type {number} */ pixel) => (pixel - start) / slope,
  };
}

/** @typedef {ReturnType<typeof pixelsOf>} Pixels */

/** @param {CanvasRenderingContext2D} pen @param {AxesView} view @param {Pixels} x */
function drawHorizontal(pen, { lens, layout, theme, text }, x) {
  const { left, top, width, height } = lens.plot;
  const base = top + height;
  const marks = ticks(x.back(left), x.back(left + width), width / SPACING.x);
  pen.textAlign = "center";
  pen.textBaseline = "top";
  for (const value of labelled(marks.values, layout.x)) {
    const at = Math.round(x.to(value)) + 0.5;
    line(pen, theme.css.line, [at, top, at, base]);
    line(pen, theme.css["line-strong"], [at, base, at, base + 4]);
    pen.fillStyle = theme.css["text-soft"];
    const words = label(text, value, marks.digits);
    const half = pen.measureText(words).width / 2;
    pen.fillText(words, Math.min(at, lens.width - half - 1), base + 7);
  }
  pen.fillStyle = theme.css.text;
  pen.fillText(title(text, layout.x), left + width / 2, base + 25);
}

/** @param {CanvasRenderingContext2D} pen @param {AxesView} view @param {Pixels} y */
function drawVertical(pen, { lens, layout, theme, text }, y) {
  const { left, top, width, height } = lens.plot;
  const marks = ticks(y.back(top + height), y.back(top), height / SPACING.y);
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const value of labelled(marks.values, layout.y)) {
    const at = Math.round(y.to(value)) + 0.5;
    line(pen, theme.css.line, [left, at, left + width, at]);
    line(pen, theme.css["line-strong"], [left - 4, at, left, at]);
    pen.fillStyle = theme.css["text-soft"];
    pen.fillText(label(text, value, marks.digits), left - 7, at);
  }
  pen.save();
  pen.translate(9, top + height / 2);
  pen.rotate(-Math.PI / 2);
  pen.textAlign = "center";
  pen.fillStyle = theme.css.text;
  pen.fillText(title(text, layout.y), 0, 0);
  pen.restore();
}

/** @param {number[]} values @param {Axis} axis */
function labelled(values, { negative }) {
  return negative ? values : values.filter((value) => value >= 0);
}

/** @param {CanvasRenderingContext2D} pen @param {string} color @param {number[]} ends */
function line(pen, color, [x0, y0, x1, y1]) {
  pen.strokeStyle = color;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}

/** @param {import("../people/text.js").Text} text @param {number} value @param {number} digits */
function label(text, value, digits) {
  const size = Math.abs(value);
  if (size >= 1e7 || digits > 6) return value.toExponential(2).replace(/\.?0+e/, "e");
  return numberText(text.language, value, digits);
}

/** @param {import("../people/text.js").Text} text @param {Axis} axis */
function title(text, { feature, unknown }) {
  if (!feature) return "";
  const unit = UNITS[feature] && text.t(UNITS[feature]);
  const name = unit ? text.t("withUnit", { name: text.t(feature), unit }) : text.t(feature);
  return unknown ? `${name} · ${text.t("unknownAtEdge", { count: unknown })}` : name;
}
