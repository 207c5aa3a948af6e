// @ts-check
/** Labelled fields. Words are named by key, and filled in by `Text.keep`. */

import { element as make } from "../people/elements.js";
import { glyph } from "./glyphs.js";

/**
 * A label beside a field.
 * @param {string} key of the label's words
 * @param {HTMLElement} field
 * @returns {HTMLElement}
 */
export function labelled(key, field) {
  field.id = `field-${key}`;
  return make(
    "div",
    { className: "field" },
    make("label", { for: field.id, "data-text": key }),
    field,
  );
}

/**
 * A choice of some values.
 * @param {readonly string[]} values also the keys of their words
 * @param {(value: string) => void} choose
 * @returns {HTMLSelectElement}
 */
export function choice(values, choose) {
  const options = values.map((value) => make("option", { value, "data-text": value }));
  const select = make("select", {}, ...options);
  select.addEventListener("change", () => choose(select.value));
  return select;
}

/**
 * A box to tick, with a sign, words and a count.
 * @param {string} key of its words
 * @param {(ticked: boolean) => void} choose
 * @param {boolean} [signed] it has the sign of a side or an edge type
 */
export function tick(key, choose, signed = false) {
  const input = make("input", { type: "checkbox" });
  input.addEventListener("change", () => choose(input.checked));
  const count = make("span", { className: "count number" });
  const words = make("span", { "data-text": key });
  const element = make(
    "label",
    { className: "tick" },
    input,
    ...(signed ? [glyph(key)] : []),
    words,
    count,
  );
  return { element, input, count };
}

/**
 * Fields under one name.
 * @param {string} key of the name's words
 * @param {(Node | string)[]} content
 * @param {string} [kind] class
 */
export function group(key, content, kind = "") {
  return make("fieldset", { className: kind }, make("legend", { "data-text": key }), ...content);
}
