// @ts-check
/** The signs of sides and of edge types. */

import { drawing } from "../people/elements.js";

const FIELD = 12;
/** @type {Record<string, string>} Shapes on that field, as nodes and edges are drawn. */
const GLYPHS = {
  buy: "M6 1.5 10.8 9.8H1.2Z",
  sell: "M6 10.5 1.2 2.2H10.8Z",
  none: "M6 2a4 4 0 1 0 .01 0Z",
  match: "M0 5.2H12V6.8H0Z",
  quote_proximity: "M0 5.2H3V6.8H0ZM4.5 5.2H7.5V6.8H4.5ZM9 5.2H12V6.8H9Z",
};

/**
 * Make the sign of a side or of an edge type; its colour is the style sheet's.
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function glyph(name) {
  const svg = drawing(FIELD, GLYPHS[name]);
  svg.setAttribute("class", `glyph glyph-${name}`);
  return svg;
}
