// @ts-check
/** The menu of what charts show: metrics of the market, and measures of each graph. */

import { element as make, together } from "../people/elements.js";
import { GRAPHS, MEASURES, measureKey } from "../state/measures.js";
import { CHARTS, SERIES } from "../state/settings.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").ChartKey} ChartKey */
/** @typedef {import("../types.js").Measure} Measure */
/** @typedef {Map<ChartKey, HTMLInputElement>} Boxes */

/**
 * @param {App} app
 * @returns {{element: HTMLElement, dispose(): void}}
 */
export function createChartsMenu(app) {
  /** @type {Boxes} */
  const boxes = new Map(
    CHARTS.map((key) => [key, make("input", { type: "checkbox", value: key })]),
  );
  const element = make(
    "details",
    { className: "charts-menu" },
    make("summary", { "data-text": "chartsMenu" }),
    make("div", { className: "charts-choices" }, metricsOf(boxes), measuresOf(boxes)),
  );
  element.addEventListener("change", () => {
    app.settings.set({ charts: CHARTS.filter((key) => boxes.get(key)?.checked) });
  });
  const end = app.settings.followFields(["charts"], ({ charts }) => {
    for (const [key, box] of boxes) box.checked = charts.includes(key);
  });
  return { element, dispose: together(closes(element), end) };
}

/** @param {Boxes} boxes */
function metricsOf(boxes) {
  const lines = SERIES.map((key) =>
    make("label", {}, boxOf(boxes, key), make("span", { "data-text": key })),
  );
  return make("fieldset", {}, make("legend", { "data-text": "chartsMetrics" }), ...lines);
}

/** @param {Boxes} boxes */
function measuresOf(boxes) {
  const heads = GRAPHS.map((graph) =>
    make("th", { id: `graph-${graph}`, scope: "col", "data-text": `${graph}Graph` }),
  );
  const lines = /** @type {Measure[]} */ (Object.keys(MEASURES)).map((measure) =>
    make(
      "tr",
      {},
      make("th", { id: `measure-${measure}`, scope: "row", "data-text": measure }),
      ...GRAPHS.map((graph) => {
        const box = boxOf(boxes, measureKey(graph, measure));
        box.setAttribute("aria-labelledby", `measure-${measure} graph-${graph}`);
        return make("td", {}, box);
      }),
    ),
  );
  return make(
    "fieldset",
    {},
    make("legend", { "data-text": "chartsMeasures" }),
    make(
      "table",
      {},
      make("thead", {}, make("tr", {}, make("td"), ...heads)),
      make("tbody", {}, ...lines),
    ),
    make("p", { "data-text": "chartsMeasuresHint" }),
  );
}

/**
 * @param {Boxes} boxes
 * @param {ChartKey} key
 */
function boxOf(boxes, key) {
  return /** @type {HTMLInputElement} */ (boxes.get(key));
}

/**
 * Close a menu with the key for that, and when something else is pressed.
 * @param {HTMLDetailsElement} element
 * @returns {() => void} ends it
 */
function closes(element) {
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !element.open) return;
    element.open = false;
    element.querySelector("summary")?.focus();
    event.stopPropagation();
  });
  const outside = (/** @type {Event} */ event) => {
    if (!element.contains(/** @type {Node} */ (event.target))) element.open = false;
  };
  document.addEventListener("pointerdown", outside);
  return () => document.removeEventListener("pointerdown", outside);
}
