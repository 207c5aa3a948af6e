// @ts-check
/** How the structure is drawn: layout, axes, colour, size, trails. */

import { element as make } from "../people/elements.js";
import { FEATURES } from "../state/settings.js";
import { choice, group, labelled, tick } from "./fields.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").Settings} Settings */

/** @param {App} app */
export function createPictureForm({ settings }) {
  const set = (/** @type {string} */ name) => (/** @type {string | boolean} */ value) =>
    settings.set(/** @type {Partial<Settings>} */ ({ [name]: value }));
  const selects = {
    x: choice(FEATURES, set("x")),
    y: choice(FEATURES, set("y")),
    color: choice(["dominant_side", ...FEATURES], set("color")),
    size: choice(["constant", ...FEATURES], set("size")),
  };
  const layout = layoutChoice(settings);
  const swap = make("button", { type: "button", className: "swap", "data-text": "swapAxes" });
  swap.addEventListener("click", () => {
    const { x, y } = settings.get();
    settings.set({ x: y, y: x });
  });
  const trails = tick("trailsOfSelected", set("trails"));
  const element = make(
    "section",
    { className: "form" },
    make("h2", { "data-text": "howDrawn" }),
    layout.element,
    labelled("onX", selects.x),
    labelled("onY", selects.y),
    swap,
    labelled("byColor", selects.color),
    labelled("bySize", selects.size),
    trails.element,
  );
  const end = settings.follow((now) => {
    for (const [name, select] of Object.entries(selects)) {
      select.value = now[/** @type {"x" | "y" | "color" | "size"} */ (name)];
    }
    const forced = now.layout === "force";
    for (const field of [selects.x, selects.y, swap, trails.input]) field.disabled = forced;
    trails.input.checked = now.trails;
    layout.show(now.layout);
  });
  return { element, dispose: end };
}

/** @param {App["settings"]} settings */
function layoutChoice(settings) {
  const layouts = /** @type {const} */ (["axes", "force"]);
  const inputs = layouts.map((value) => {
    const input = make("input", { type: "radio", name: "structure-layout", value });
    input.addEventListener("change", () => settings.set({ layout: value }));
    return input;
  });
  const labels = inputs.map((input) =>
    make(
      "label",
      { className: "tick" },
      input,
      make("span", { "data-text": `layout_${input.value}` }),
    ),
  );
  return {
    element: group("layout", labels, "beside"),
    show(/** @type {string} */ layout) {
      for (const input of inputs) input.checked = input.value === layout;
    },
  };
}
