// @ts-check
/** Buttons for what the wheel and the Shift key do: zoom, show all, draw a line around agents. */

import { element as make } from "../people/elements.js";

const STEP = 1.35;

/**
 * @param {object} wishes
 * @param {(factor: number) => void} wishes.zoom
 * @param {() => void} wishes.reset
 * @param {(drawing: boolean) => void} wishes.lasso a plain drag draws a line from now on, or not
 * @returns {HTMLElement}
 */
export function viewButtons({ zoom, reset, lasso }) {
  let drawing = false;
  const toggle = button("⬚", "lasso", () => {
    drawing = !drawing;
    toggle.setAttribute("aria-pressed", `${drawing}`);
    lasso(drawing);
  });
  toggle.setAttribute("aria-pressed", "false");
  return make(
    "div",
    { className: "view-buttons", role: "group", "data-label": "view" },
    toggle,
    button("−", "zoomOut", () => zoom(1 / STEP)),
    button("+", "zoomIn", () => zoom(STEP)),
    button("⤢", "zoomReset", reset),
  );
}

/** @param {string} sign @param {string} key of its name's words @param {() => void} act */
function button(sign, key, act) {
  const made = make("button", { type: "button", "data-label": key, "data-title": key }, sign);
  made.addEventListener("click", act);
  return made;
}
