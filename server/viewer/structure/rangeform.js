// @ts-check
/** Ranges of features that agents must lie in to be shown, each with its count. */

import { FeatureReader } from "../data/figures.js";
import { element as make, say } from "../people/elements.js";
import { paced } from "../state/paced.js";
import { FEATURES } from "../state/settings.js";
import { extent } from "./features.js";
import { choice, labelled } from "./fields.js";
import { countWithin } from "./filter.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").Feature} Feature */
/** @typedef {ReturnType<typeof rangeRow>} Row */

const PAUSE = 500;

/** @param {App} app */
export function createRangeForm(app) {
  const { settings, text } = app;
  const reader = new FeatureReader();
  /** @type {Map<Feature, Row>} */
  const rows = new Map();
  const list = make("div", { className: "ranges" });
  const adding = choice(["chooseFeature", ...FEATURES], (value) => {
    adding.value = "chooseFeature";
    if (value !== "chooseFeature") add(app, reader, /** @type {Feature} */ (value));
  });
  const element = make(
    "section",
    { className: "form" },
    make("h2", { "data-text": "ranges" }),
    list,
    labelled("addRange", adding),
  );
  const counts = paced(PAUSE, () => {
    const frame = app.moment.get()?.frame;
    if (!frame) return;
    for (const [feature, row] of rows) {
      const range = settings.get().ranges[feature];
      const shown = range ? countWithin(reader.read(frame, feature), range) : 0;
      say(row.count, text.t("ofAll", { shown, all: frame.nodes.count }));
    }
  });
  const ends = [
    settings.followFields(["ranges", "language"], ({ ranges }) => {
      keepRows(app, rows, list);
      for (const option of adding.options) option.disabled = option.value in ranges;
      counts.now();
    }),
    app.moment.follow(() => {
      if (rows.size) counts.ask();
    }),
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
 * Begin with the range of all that is known now.
 * @param {App} app
 * @param {FeatureReader} reader
 * @param {Feature} feature
 */
function add({ settings, moment }, reader, feature) {
  const frame = moment.get()?.frame;
  const [low, high] = frame ? extent(reader.read(frame, feature)) : [0, 1];
  const range = /** @type {[number, number]} */ (Number.isNaN(low) ? [0, 1] : [low, high]);
  settings.set({ ranges: { ...settings.get().ranges, [feature]: range } });
}

/**
 * Have one row for each range.
 * @param {App} app
 * @param {Map<Feature, Row>} rows
 * @param {HTMLElement} list
 */
function keepRows(app, rows, list) {
  const { ranges } = app.settings.get();
  for (const [feature, row] of rows) {
    if (feature in ranges) continue;
    row.element.remove();
    rows.delete(feature);
  }
  for (const [name, range] of Object.entries(ranges)) {
    const feature = /** @type {Feature} */ (name);
    const row = rows.get(feature) ?? rangeRow(app, feature);
    if (!rows.has(feature)) list.append(row.element);
    rows.set(feature, row);
    row.show(range);
  }
}

/** @param {App} app @param {Feature} feature */
function rangeRow({ settings, text }, feature) {
  const title = make("span", { className: "range-title" });
  const count = make("span", { className: "count number" });
  const low = make("input", { type: "number", step: "any" });
  const high = make("input", { type: "number", step: "any" });
  const remove = make("button", { type: "button", className: "remove" }, "×");
  const fault = make("p", { className: "fault", role: "alert" });
  const element = make(
    "div",
    { className: "range", role: "group" },
    make("div", { className: "range-head" }, title, count, remove),
    make(
      "div",
      { className: "range-ends" },
      low,
      make("span", { "aria-hidden": "true" }, "–"),
      high,
    ),
    fault,
  );
  const tellFault = (/** @type {boolean} */ wrong) => {
    for (const input of [low, high]) input.setAttribute("aria-invalid", `${wrong}`);
    say(fault, wrong ? text.t("rangeFault", { low: low.value, high: high.value }) : "");
  };
  const take = () => {
    const [least, most] = [low.valueAsNumber, high.valueAsNumber];
    const wrong = !(least <= most);
    tellFault(wrong);
    if (wrong) return;
    settings.set({ ranges: { ...settings.get().ranges, [feature]: [least, most] } });
  };
  low.addEventListener("change", take);
  high.addEventListener("change", take);
  remove.addEventListener("click", () => {
    const { [feature]: _, ...others } = settings.get().ranges;
    settings.set({ ranges: others });
  });
  return {
    element,
    count,
    /** @param {[number, number]} range */
    show(range) {
      const name = text.t(feature);
      say(title, name);
      element.setAttribute("aria-label", name);
      low.setAttribute("aria-label", text.t("rangeLow", { feature: name }));
      high.setAttribute("aria-label", text.t("rangeHigh", { feature: name }));
      remove.setAttribute("aria-label", text.t("rangeRemove", { feature: name }));
      [low.value, high.value] = [`${range[0]}`, `${range[1]}`];
      tellFault(false);
    },
  };
}
