// @ts-check
/** Which edges and agents are shown: types, weight, sides, linked only; each with its count. */

import { element as make, say } from "../people/elements.js";
import { paced } from "../state/paced.js";
import { group, labelled, tick } from "./fields.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").Settings} Settings */
/** @typedef {import("../types.js").Filtered} Filtered */

const TYPES = /** @type {const} */ (["match", "quote_proximity"]);
const SIDES = /** @type {const} */ (["buy", "sell", "none"]);
/** What shows everything. @type {Pick<Settings, "types" | "minWeight" | "sides" | "ranges" | "linkedOnly">} */
const OPEN = { types: [...TYPES], minWeight: 0, sides: [...SIDES], ranges: {}, linkedOnly: false };
const PAUSE = 250;

/** @param {App} app */
export function createFilterForm(app) {
  const { settings, text } = app;
  const types = TYPES.map((type) => tick(type, (on) => change(settings, "types", type, on), true));
  const sides = SIDES.map((side) => tick(side, (on) => change(settings, "sides", side, on), true));
  const linked = tick("linkedOnly", (on) => settings.set({ linkedOnly: on }));
  const weight = weightField(settings);
  const reset = make("button", { type: "button", "data-text": "showAll" });
  reset.addEventListener("click", () => settings.set({ ...OPEN }));
  const element = make(
    "section",
    { className: "form" },
    make("h2", { "data-text": "filters" }),
    group("edgesGroup", [...types.map((part) => part.element), weight.element]),
    group(
      "dominant_side",
      sides.map((part) => part.element),
    ),
    linked.element,
    reset,
  );
  const counts = paced(PAUSE, () => {
    const filtered = app.filtered.get();
    if (!filtered) return;
    const { byType, shownByType, bySide, linkedNodes, edges } = filtered.counts;
    for (const [k, type] of TYPES.entries()) {
      say(types[k].count, ofAll(text, shownByType[type], byType[type]));
    }
    for (const [k, side] of SIDES.entries()) say(sides[k].count, text.number(bySide[side]));
    say(linked.count, text.number(linkedNodes));
    say(weight.count, ofAll(text, heavyEnough(filtered, settings.get().minWeight), edges));
  });
  const ends = [
    settings.follow((now) => {
      for (const [k, type] of TYPES.entries()) types[k].input.checked = now.types.includes(type);
      for (const [k, side] of SIDES.entries()) sides[k].input.checked = now.sides.includes(side);
      linked.input.checked = now.linkedOnly;
      weight.show(now.minWeight);
      reset.disabled = isOpen(now);
    }),
    app.filtered.follow(counts.ask),
    text.follow(counts.now),
    counts.end,
  ];
  return {
    element,
    dispose() {
      for (const end of ends) end();
    },
  };
}

/**
 * Add a value to a list of the settings, or take it out.
 * @param {App["settings"]} settings
 * @param {"types" | "sides"} name
 * @param {string} value
 * @param {boolean} on
 */
function change(settings, name, value, on) {
  const others = /** @type {string[]} */ (settings.get()[name]).filter((one) => one !== value);
  const next = on ? [...others, value] : others;
  settings.set(/** @type {Partial<Settings>} */ ({ [name]: next }));
}

/**
 * A slider and a number for the least weight. Most weights are small, so the slider is finer there:
 * its place is the root of the weight.
 * @param {App["settings"]} settings
 */
function weightField(settings) {
  const slider = make("input", { type: "range", min: "0", max: "1", step: "0.01" });
  slider.dataset.label = "minWeight";
  const number = make("input", { type: "number", min: "0", max: "1", step: "0.001" });
  const count = make("span", { className: "count number" });
  slider.addEventListener("input", () => {
    settings.set({ minWeight: Math.round(slider.valueAsNumber ** 2 * 1e4) / 1e4 });
  });
  number.addEventListener("change", () => {
    if (number.validity.valid && number.value) settings.set({ minWeight: number.valueAsNumber });
    else show(settings.get().minWeight);
  });
  const show = (/** @type {number} */ weight) => {
    slider.value = `${Math.sqrt(weight)}`;
    if (number !== document.activeElement || number.valueAsNumber !== weight) {
      number.value = `${weight}`;
    }
  };
  const element = make(
    "div",
    { className: "weight" },
    labelled("minWeight", number),
    slider,
    count,
  );
  return { element, count, show };
}

/** @param {Filtered} filtered @param {number} least */
function heavyEnough({ moment: { frame } }, least) {
  const { count, w } = frame.edges;
  let found = 0;
  for (let row = 0; row < count; row++) if (w[row] >= least) found++;
  return found;
}

/** @param {App["text"]} text @param {number} shown @param {number} all */
function ofAll(text, shown, all) {
  return shown === all ? text.number(all) : text.t("ofAll", { shown, all });
}

/** @param {Settings} settings */
function isOpen({ types, minWeight, sides, ranges, linkedOnly }) {
  const all = types.length === TYPES.length && sides.length === SIDES.length;
  return all && minWeight === 0 && !linkedOnly && Object.keys(ranges).length === 0;
}
