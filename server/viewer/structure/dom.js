// @ts-check
/** Makes elements: short words for what the parts of the structure are built of. */

/**
 * Make an element.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string>} [attributes]
 * @param {(Node | string)[]} [content]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, attributes = {}, content = []) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...content);
  return element;
}

/**
 * Set an element's text if it is another one: what is equal costs no layout, and no screen reader
 * says it again.
 * @param {Element} element
 * @param {string} words
 */
export function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

const SVG = "http://www.w3.org/2000/svg";
/** @type {Record<string, string>} Shapes in a box of 12 by 12, as nodes and edges are drawn. */
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
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 12 12");
  svg.setAttribute("class", `glyph glyph-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", GLYPHS[name]);
  svg.append(path);
  return svg;
}
