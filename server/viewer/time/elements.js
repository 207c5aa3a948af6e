// @ts-check
/** Shapes, and buttons that show them. */

import { drawing, element as make } from "../people/elements.js";

const FIELD = 16;
/** Shapes on that field. */
const ICONS = Object.freeze({
  play: "M4 2.5v11l9-5.5z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  back: "M3 3h2.5v10H3zM13 3v10L6 8z",
  on: "M10.5 3H13v10h-2.5zM3 3v10l7-5z",
  live: "M8 4.5a3.5 3.5 0 1 0 0 7a3.5 3.5 0 1 0 0-7z",
  nextEvent: "M3 3l5 5-5 5zM12 4l3 4-3 4-3-4z",
  lastEvent: "M13 3L8 8l5 5zM4 4l3 4-3 4-3-4z",
  in: "M4 2h5v2H6v8h3v2H4zM9.5 7h4v2h-4z",
  out: "M12 2H7v2h3v8H7v2h5zM6.5 7h-4v2h4z",
  loop: "M4 4h6V1.5L14.5 5 10 8.5V6H5v2H3V5zM12 12H6v2.5L1.5 11 6 7.5V10h5V8h2v3z",
  clear: "M4.4 3L8 6.6 11.6 3 13 4.4 9.4 8 13 11.6 11.6 13 8 9.4 4.4 13 3 11.6 6.6 8 3 4.4z",
  closer: "M7 3h2v4h4v2H9v4H7V9H3V7h4z",
  farther: "M3 7h10v2H3z",
  burst: "M8 3l5 5-5 5-5-5z",
  shock: "M8 3l5 9H3z",
});

/** @typedef {keyof typeof ICONS} Icon */

/**
 * @param {Icon} name
 * @returns {SVGElement}
 */
export function icon(name) {
  return drawing(FIELD, ICONS[name]);
}

/**
 * A button that shows a shape; its words are its accessible name and its tooltip.
 * @param {Icon} name
 * @param {string} words key of the words
 * @param {() => void} onClick
 * @returns {HTMLButtonElement}
 */
export function iconButton(name, words, onClick) {
  const button = make("button", { type: "button", "data-label": words, "data-title": words });
  button.append(icon(name));
  button.addEventListener("click", () => onClick());
  return button;
}
