// @ts-check
/** The rows of the table that are in sight: elements made once, filled again and again. */

import { figureOf, rowOf } from "../data/figures.js";
import { element } from "../people/elements.js";
import { differenceText, figureText } from "./figures.js";

/** @typedef {import("../types.js").Frame} Frame */
/** @typedef {import("./ordering.js").Column} Column */

export const ROW_HEIGHT = 24;

/**
 * @typedef {object} Sight
 * @property {Float64Array} ids of all agents of the table, in its order
 * @property {Frame} frame
 * @property {Frame | null} before what it is compared with: then differences are shown
 * @property {Set<number>} selection
 * @property {number} active row that the keyboard stands on
 * @property {number} from first row in sight
 * @property {number} count
 * @property {import("../people/text.js").Text} text
 */

/** @param {readonly Column[]} columns */
export function createRows(columns) {
  const root = element("div", { className: "rows", role: "presentation" });
  /** @type {HTMLElement[]} */
  const pool = [];
  /** @param {Sight} sight */
  const draw = (sight) => {
    while (pool.length < sight.count) {
      const row = createRow(columns);
      pool.push(row);
      root.append(row);
    }
    root.style.translate = `0 ${sight.from * ROW_HEIGHT}px`;
    pool.forEach((row, at) => {
      fillRow(row, sight.from + at, columns, sight);
    });
  };
  return { root, draw, nameOf: (/** @type {number} */ at) => `agent-row-${at}` };
}

/** @param {readonly Column[]} columns */
function createRow(columns) {
  const cells = columns.map(() => element("div", { role: "gridcell", className: "cell number" }));
  return element("div", { role: "row", className: "row" }, ...cells);
}

/**
 * @param {HTMLElement} row
 * @param {number} at
 * @param {readonly Column[]} columns
 * @param {Sight} sight
 */
function fillRow(row, at, columns, sight) {
  const id = sight.ids[at];
  row.hidden = id === undefined;
  if (id === undefined) return;
  row.id = `agent-row-${at}`;
  row.dataset.at = String(at);
  row.setAttribute("aria-rowindex", String(at + 2));
  row.setAttribute("aria-selected", String(sight.selection.has(id)));
  row.classList.toggle("active", at === sight.active);
  const now = rowOf(sight.frame, id);
  const then = sight.before ? rowOf(sight.before, id) : -1;
  columns.forEach((column, number) => {
    const words = column === "agent_id" ? String(id) : cellText(column, now, then, sight);
    const cell = row.children[number];
    if (cell.textContent !== words) cell.textContent = words;
  });
}

/**
 * @param {Column} column
 * @param {number} now row in the frame, −1 if it is not there any more
 * @param {number} then row in the frame that it is compared with
 * @param {Sight} sight
 */
function cellText(column, now, then, { frame, before, text }) {
  if (now < 0) return "–";
  const { nodes } = frame;
  if (column === "dominant_side") return text.t(nodes.sides[nodes.dominant_side[now]]);
  const value = figureOf(frame, column, now);
  if (!before) return figureText(value, text);
  return differenceText(value, then < 0 ? Number.NaN : figureOf(before, column, then), text);
}
