// @ts-check
/** The small multiples: a figure with name and value for each series, and where its plot lies. */

import { element as make, say } from "../people/elements.js";
import { numberText } from "../people/numbers.js";
import { chartName, isWhole } from "./chart-names.js";
import { digitsOf, Scale } from "./scale.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").ChartKey} ChartKey */

/**
 * @typedef {object} Panel
 * @property {ChartKey} key
 * @property {HTMLElement} figure
 * @property {HTMLElement} value
 * @property {HTMLElement} note why there is no line
 * @property {number} left of the plot, in pixels of the whole
 * @property {number} top
 * @property {number} width
 * @property {number} height
 * @property {Scale} y pixels of the plot, the least value at the bottom
 */

/** Pixels around a plot: on the left stand the values, above the name and the marks of events. */
export const MARGIN = Object.freeze({ left: 46, right: 8, top: 26, bottom: 15 });
/** Width of a panel by its height that shows a course best. */
const BEST_SHAPE = 3.2;
const LEAST_HEIGHT = 56;
/** Values are told to this part of what the axis spans. */
const PRECISION = 1 / 1000;

/**
 * Return in how many columns so many panels are best laid.
 * @param {number} count
 * @param {number} width
 * @param {number} height
 * @returns {number}
 */
export function columnsFor(count, width, height) {
  let best = 1;
  let leastCost = Number.POSITIVE_INFINITY;
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const shape = width / columns / (height / rows);
    const empty = 1 - count / (columns * rows);
    const cramped = height / rows < LEAST_HEIGHT ? 2 : 0;
    const cost = Math.abs(Math.log(shape / BEST_SHAPE)) + empty + cramped;
    if (cost < leastCost) {
      best = columns;
      leastCost = cost;
    }
  }
  return best;
}

export class Panels {
  /**
   * @param {HTMLElement} parent
   * @param {App} app
   */
  constructor(parent, app) {
    this.parent = parent;
    this.app = app;
    this.none = make("p", { className: "charts-none" });
    parent.append(this.none);
    /** @type {Panel[]} */
    this.list = [];
  }

  /** @param {ChartKey[]} keys */
  show(keys) {
    for (const { figure } of this.list) figure.remove();
    this.none.hidden = keys.length > 0;
    say(this.none, this.app.text.t("chartsNone"));
    this.list = keys.map((key) => {
      const value = make("span", { className: "chart-value number" });
      const words = chartName(this.app.text, key);
      const name = make("span", { className: "chart-name", title: words }, words);
      const note = make("p", { className: "chart-note" });
      const head = make("figcaption", {}, name, value);
      const figure = make("figure", { className: "chart" }, head, note);
      this.parent.append(figure);
      const y = new Scale(0, 1, 1, 0);
      return { key, figure, value, note, left: 0, top: 0, width: 0, height: 0, y };
    });
  }

  /** @param {number} width @param {number} height */
  layOut(width, height) {
    const count = this.list.length;
    const columns = columnsFor(count, width, height);
    const rows = Math.ceil(count / columns);
    const [across, down] = [width / columns, height / Math.max(1, rows)];
    this.parent.style.setProperty("--columns", String(columns));
    this.parent.style.setProperty("--rows", String(rows));
    for (const [place, panel] of this.list.entries()) {
      panel.left = (place % columns) * across + MARGIN.left;
      panel.top = Math.floor(place / columns) * down + MARGIN.top;
      panel.width = Math.max(1, across - MARGIN.left - MARGIN.right);
      panel.height = Math.max(1, down - MARGIN.top - MARGIN.bottom);
    }
  }

  /**
   * Return the panel at a place, also beside its plot.
   * @param {number} x
   * @param {number} y
   * @returns {Panel | null}
   */
  at(x, y) {
    const found = this.list.find(
      ({ left, top, width, height }) =>
        x >= left - MARGIN.left &&
        x < left + width + MARGIN.right &&
        y >= top - MARGIN.top &&
        y < top + height + MARGIN.bottom,
    );
    return found ?? null;
  }

  /** @param {(key: ChartKey) => number} figureOf */
  write(figureOf) {
    for (const panel of this.list) say(panel.value, this.#figure(panel, figureOf));
  }

  /** @param {(key: ChartKey) => string} noteOf */
  writeNotes(noteOf) {
    for (const panel of this.list) say(panel.note, noteOf(panel.key));
  }

  /**
   * @param {(key: ChartKey) => number} figureOf
   * @returns {string[]} name and value of each
   */
  texts(figureOf) {
    const { text } = this.app;
    return this.list.map(
      (panel) => `${chartName(text, panel.key)} ${this.#figure(panel, figureOf)}`,
    );
  }

  /**
   * @param {Panel} panel
   * @param {(key: ChartKey) => number} figureOf
   */
  #figure({ key, y }, figureOf) {
    const digits = isWhole(key) ? 0 : digitsOf(Math.abs(y.to - y.from) * PRECISION);
    return numberText(this.app.text.language, figureOf(key), digits);
  }
}
