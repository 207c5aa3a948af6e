// @ts-check
/** What is told of the agent under the pointer. */

import { figureOf } from "../data/figures.js";
import { element as make, say } from "../people/elements.js";
import { written } from "./features.js";

/** @typedef {import("../types.js").Feature} Feature */
/** @typedef {import("../types.js").Filtered} Filtered */
/** @typedef {import("../types.js").Settings} Settings */

const ALWAYS = /** @type {Feature[]} */ (["quote_price_mean", "match_count"]);
/** Pixels from the agent. */
const OFF = 14;

/** A small table beside the pointer. */
export class Tooltip {
  /** @param {HTMLElement} stage @param {import("../people/text.js").Text} text */
  constructor(stage, text) {
    this.stage = stage;
    this.text = text;
    this.head = make("strong");
    this.rows = make("dl");
    this.element = make(
      "div",
      { className: "tip", hidden: true, "aria-hidden": "true" },
      this.head,
      this.rows,
    );
    stage.append(this.element);
  }

  hide() {
    this.element.hidden = true;
  }

  /**
   * Tell of an agent: who, its side, the features that are drawn, and how it is linked.
   * @param {Filtered} filtered
   * @param {number} row
   * @param {Settings} settings
   */
  tell(filtered, row, settings) {
    const { frame } = filtered.moment;
    const { agent_id, sides, dominant_side } = frame.nodes;
    const { text } = this;
    say(this.head, text.t("agentNamed", { agent: `${agent_id[row]}` }));
    const lines = [[text.t("dominant_side"), text.t(sides[dominant_side[row]])]];
    for (const feature of told(settings)) {
      lines.push([text.t(feature), written(text, figureOf(frame, feature, row))]);
    }
    lines.push([text.t("edgesShown"), text.number(degreeOf(filtered, row))]);
    this.#fill(lines);
    this.element.hidden = false;
  }

  /** Stand beside a pixel, within the stage. @param {number} x @param {number} y */
  place(x, y) {
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const { clientWidth, clientHeight } = this.stage;
    const left = x + OFF + width > clientWidth ? x - OFF - width : x + OFF;
    const top = Math.min(Math.max(4, y - height / 2), clientHeight - height - 4);
    this.element.style.transform = `translate(${Math.max(4, left)}px, ${top}px)`;
  }

  /** @param {string[][]} lines */
  #fill(lines) {
    const cells = this.rows.children;
    while (cells.length < 2 * lines.length) this.rows.append(make("dt"), make("dd"));
    while (cells.length > 2 * lines.length) cells[cells.length - 1].remove();
    for (const [k, [name, value]] of lines.entries()) {
      say(cells[2 * k], name);
      say(cells[2 * k + 1], value);
    }
  }
}

/** @param {Settings} settings @returns {Set<Feature>} */
function told({ x, y, color, size }) {
  const features = new Set([x, y]);
  if (color !== "dominant_side") features.add(color);
  if (size !== "constant") features.add(size);
  for (const feature of ALWAYS) features.add(feature);
  features.delete("agent_id");
  return features;
}

/** @param {Filtered} filtered @param {number} row */
function degreeOf({ moment: { frame }, edges: shown }, row) {
  const { count, src, dst } = frame.edges;
  let degree = 0;
  for (let edge = 0; edge < count; edge++) {
    if (shown[edge] && (src[edge] === row || dst[edge] === row)) degree++;
  }
  return degree;
}
