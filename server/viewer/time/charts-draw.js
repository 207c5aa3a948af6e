// @ts-check
/** Draws the small multiples: axes, missing ticks, courses and events. */

import { firstAtOrAfter } from "../data/sorted.js";
import { numberText, shortNumber } from "../people/numbers.js";
import { drawMark } from "./events.js";
import { digitsOf, niceValues, Scale, steadyRange } from "./scale.js";

/** @typedef {import("../types.js").ChartKey} ChartKey */
/** @typedef {import("../types.js").Course} Course */
/** @typedef {import("./charts-panels.js").Panel} Panel */
/** @typedef {import("./palette.js").Colors} Colors */

/**
 * All panels have the same ticks from left to right.
 * @typedef {object} Picture
 * @property {(key: ChartKey) => Course | null} courseOf
 * @property {Scale} x ticks to pixels of a plot
 * @property {import("../types.js").Hole[]} holes
 * @property {import("./events.js").Mark[]} marks by pixels of a plot
 * @property {{from: number, to: number} | null} loop
 * @property {CanvasPattern} missing filling of ticks that are missing
 * @property {Colors} colors
 * @property {string} language
 */

const FONT = "10px system-ui, sans-serif";
const LABEL_WIDTH = 84;
const LABEL_HEIGHT = 15;
const LABEL_REACH = 4;
const MARK_RADIUS = 3.5;
const LEAST_HOLE = 2;

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Panel[]} panels their scales of values are set
 * @param {Picture} picture
 */
export function drawCharts(context, panels, picture) {
  context.font = FONT;
  const placesOf = placing(picture.x);
  for (const panel of panels) {
    const course = picture.courseOf(panel.key);
    panel.y = scaleOf(panel, course, picture.x);
    context.save();
    context.translate(panel.left, panel.top);
    drawAxes(context, panel, picture);
    drawMarks(context, panel, picture);
    context.beginPath();
    context.rect(0, 0, panel.width, panel.height);
    context.clip();
    drawHoles(context, panel, picture);
    if (course) drawCourse(context, panel, picture.colors, { course, places: placesOf(course) });
    drawLoop(context, panel, picture);
    context.restore();
  }
}

/**
 * Return what gives the places of values in pixels. Most courses have their ticks in common.
 * @param {Scale} x
 */
function placing(x) {
  /** @type {Map<Float64Array, Float64Array>} */
  const known = new Map();
  return (/** @type {Course} */ course) => {
    const places = known.get(course.t) ?? placesOf(course, x);
    known.set(course.t, places);
    return places;
  };
}

/**
 * Return each tick, or the middle of each bucket, in pixels.
 * @param {Course} course
 * @param {Scale} x
 */
function placesOf({ t, to, isExact }, x) {
  if (isExact) return t.map((tick) => x.at(tick));
  return Float64Array.from(t, (begin, row) => {
    const end = row + 1 < t.length ? t[row + 1] : Math.max(begin, to + 1);
    return x.at(begin + Math.max(0, end - begin - 1) / 2);
  });
}

/**
 * Return a scale on which all that is visible has room.
 * @param {Panel} panel
 * @param {Course | null} course
 * @param {Scale} x
 */
function scaleOf({ height }, course, x) {
  if (!course) return new Scale(0, 1, height, 0);
  const { t, min, max } = course;
  const begin = Math.max(0, firstAtOrAfter(t, x.from) - 1); // the bucket that reaches in
  const end = firstAtOrAfter(t, x.to + 1);
  const [from, to] = steadyRange(
    known(min.subarray(begin, end), Math.min),
    known(max.subarray(begin, end), Math.max),
  );
  return new Scale(from, to, height, 0);
}

/**
 * @param {Float64Array} values
 * @param {(one: number, other: number) => number} choose
 * @returns {number} NaN if there is no value
 */
function known(values, choose) {
  let chosen = Number.NaN;
  for (const value of values) {
    if (!Number.isNaN(value)) chosen = Number.isNaN(chosen) ? value : choose(chosen, value);
  }
  return chosen;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Panel} panel
 * @param {Picture} picture
 */
function drawAxes(context, { width, height, y }, { x, colors, language }) {
  const values = niceValues(y.from, y.to, Math.max(1, height / LABEL_HEIGHT));
  const ticks = niceValues(x.from, x.to, Math.max(1, width / LABEL_WIDTH), 1);
  context.strokeStyle = colors.line;
  context.fillStyle = colors["text-soft"];
  context.lineWidth = 1;
  context.beginPath();
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const value of values.values) {
    const at = Math.round(y.at(value)) + 0.5;
    context.moveTo(0, at);
    context.lineTo(width, at);
    if (at > height - LABEL_REACH) continue; // the ticks have that room
    context.fillText(shortNumber(language, value, digitsOf(values.step)), -5, at);
  }
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const tick of ticks.values) {
    if (tick < 0) continue;
    const at = Math.round(x.at(tick)) + 0.5;
    context.moveTo(at, 0);
    context.lineTo(at, height + 2);
    const text = numberText(language, tick);
    const half = context.measureText(text).width / 2;
    if (at + half < width + 6) context.fillText(text, at, height + 4);
  }
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Panel} panel
 * @param {Picture} picture
 */
function drawHoles(context, { height }, { holes, x, missing }) {
  context.fillStyle = missing;
  for (const { from_t, to_t } of holes) {
    const left = x.at(from_t - 0.5);
    context.fillRect(left, 0, Math.max(LEAST_HOLE, x.at(to_t + 0.5) - left), height);
  }
}

/**
 * Draw least to greatest as a band and the last as a line. Where values are missing there is
 * neither.
 * @param {CanvasRenderingContext2D} context
 * @param {Panel} panel
 * @param {Colors} colors
 * @param {{course: Course, places: Float64Array}} drawn
 */
function drawCourse(context, { y }, colors, { course, places }) {
  const { t, min, max, last, gap } = course;
  const band = new Path2D();
  const line = new Path2D();
  for (const rows of stretches(t, last, gap)) {
    const at = (/** @type {Float64Array} */ values) => (/** @type {number} */ row) =>
      /** @type {[number, number]} */ ([places[row], y.at(values[row])]);
    const course = rows.map(at(last));
    if (rows.length === 1) course.push([course[0][0] + 1, course[0][1]]); // a dot
    trace(line, course);
    trace(band, [...rows.map(at(max)), ...rows.reverse().map(at(min))]);
  }
  context.fillStyle = colors.accent;
  context.globalAlpha = 0.25;
  context.fill(band);
  context.globalAlpha = 1;
  context.strokeStyle = colors.accent;
  context.lineWidth = 1.25;
  context.lineJoin = "round";
  context.stroke(line);
}

/**
 * @param {Path2D} path
 * @param {[number, number][]} points
 */
function trace(path, points) {
  path.moveTo(...points[0]);
  for (const [x, y] of points) path.lineTo(x, y);
}

/**
 * Return the rows that belong together: no gap lies between them.
 * @param {Float64Array} t
 * @param {Float64Array} values
 * @param {number} gap
 * @returns {number[][]}
 */
export function stretches(t, values, gap) {
  /** @type {number[][]} */
  const found = [];
  let before = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < t.length; row++) {
    if (Number.isNaN(values[row])) continue;
    if (t[row] - before > gap || !found.length) found.push([]);
    found[found.length - 1].push(row);
    before = t[row];
  }
  return found;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Panel} panel
 * @param {Picture} picture
 */
function drawMarks(context, { height }, { marks, colors }) {
  context.lineWidth = 1;
  for (const mark of marks) {
    const at = Math.round(mark.x) + 0.5;
    context.fillStyle = colors[mark.type];
    context.strokeStyle = colors[mark.type];
    drawMark(context, mark, at, -MARK_RADIUS - 2, MARK_RADIUS);
    context.globalAlpha = 0.35;
    context.setLineDash(mark.type === "burst" ? [1, 3] : [4, 3]);
    context.beginPath();
    context.moveTo(at, 0);
    context.lineTo(at, height);
    context.stroke();
    context.globalAlpha = 1;
  }
  context.setLineDash([]);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Panel} panel
 * @param {Picture} picture
 */
function drawLoop(context, { height }, { loop, x, colors }) {
  if (!loop) return;
  context.fillStyle = colors.good;
  const left = x.at(loop.from);
  context.fillRect(left, height - 3, Math.max(2, x.at(loop.to) - left), 3);
}
