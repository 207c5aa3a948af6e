// @ts-check
/** Who is linked with an agent, each of them to be selected. */

import { rowOf } from "../data/figures.js";
import { element } from "../people/elements.js";
import { figureText } from "./figures.js";
import { selectAgent } from "./selecting.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").Frame} Frame */

const MOST_NEIGHBOURS = 12;

/**
 * @typedef {{id: number, type: string, w: number}} Neighbour
 */

/**
 * Return who is linked with an agent, by the order of the edges: the greatest weight first.
 * @param {Frame} frame
 * @param {number} id
 * @param {number} most
 * @returns {{shown: Neighbour[], count: number}}
 */
function neighboursOf(frame, id, most) {
  const row = rowOf(frame, id);
  /** @type {Neighbour[]} */
  const shown = [];
  let count = 0;
  if (row < 0) return { shown, count };
  const { src, dst, type, types, w } = frame.edges;
  for (let edge = 0; edge < frame.edges.count; edge++) {
    if (src[edge] !== row && dst[edge] !== row) continue;
    count += 1;
    if (shown.length >= most) continue;
    const other = src[edge] === row ? dst[edge] : src[edge];
    shown.push({ id: frame.nodes.agent_id[other], type: types[type[edge]], w: w[edge] });
  }
  return { shown, count };
}

/**
 * A list of who is linked with an agent, and what writes it.
 * @param {App} app
 * @param {number} id
 */
export function neighbourList(app, id) {
  const { text } = app;
  const list = element("ul", { className: "neighbours" });
  const head = element("h2");
  list.addEventListener("click", ({ target, shiftKey }) => {
    const chosen =
      target instanceof HTMLElement ? target.closest("button")?.dataset.agent : undefined;
    if (chosen !== undefined) selectAgent(app, Number(chosen), shiftKey);
  });
  let known = "";
  const write = () => {
    const frame = app.moment.get()?.frame;
    if (!frame) return;
    const { shown, count } = neighboursOf(frame, id, MOST_NEIGHBOURS);
    head.textContent = text.t("neighbours", { id: String(id), count });
    const words = JSON.stringify(shown);
    if (words === known || list.contains(document.activeElement)) return; // nothing moves under a finger
    known = words;
    list.replaceChildren(...shown.map((other) => neighbourItem(text, other)));
  };
  return { made: element("section", {}, head, list), write };
}

/**
 * @param {import("../people/text.js").Text} text
 * @param {Neighbour} neighbour
 */
function neighbourItem(text, { id, type, w }) {
  const button = element("button", { type: "button", className: `quiet ${type}` }, String(id));
  button.dataset.agent = String(id);
  return element(
    "li",
    {},
    button,
    ` ${text.t(type)} `,
    element("span", { className: "number" }, figureText(w, text)),
  );
}
