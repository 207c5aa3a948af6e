// @ts-check
/** The frame in a few figures. */

import { element } from "../people/elements.js";
import { paced } from "../state/paced.js";
import { figureText } from "./figures.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").Frame} Frame */

const WRITE_MS = 250;
const SIDES = /** @type {const} */ (["buy", "sell", "none"]);

/** @param {App} app */
export function createSummary(app) {
  const facts = element("dl", { className: "facts" });
  const events = element("ul", { className: "events" });
  const lead = element(
    "p",
    { className: "soft", "data-text": "selectLead" },
    app.text.t("selectLead"),
  );
  const root = element("div", { className: "summary" }, lead, facts, events);
  let language = "";
  const writing = paced(WRITE_MS, () => {
    const moment = app.moment.get();
    if (!moment) return;
    language = app.text.language;
    const rows = factsOf(moment.frame, app);
    facts.replaceChildren(
      ...rows.flatMap(([key, value]) => [
        element("dt", {}, app.text.t(key)),
        element("dd", { className: "number" }, value),
      ]),
    );
    events.replaceChildren(...eventItems(moment.frame, app));
  });
  const update = () => {
    if (app.cursor.get().playing && language === app.text.language) writing.ask();
    else writing.now();
  };
  return { root, update, dispose: writing.end };
}

/**
 * @param {Frame} frame
 * @param {App} app
 * @returns {[string, string][]}
 */
function factsOf({ window, nodes, edges }, { text, filtered }) {
  const counts = filtered.get()?.counts;
  /** @type {[string, string][]} */
  const rows = [
    ["windowTicks", `${window.t0} – ${window.t1}`],
    ["windowLength", String(window.W)],
    ["stride", String(window.stride)],
    ["nodes", text.number(nodes.count)],
    ["edges", text.number(edges.count)],
  ];
  if (counts) {
    rows.push(["match", text.number(counts.byType.match)]);
    rows.push(["quote_proximity", text.number(counts.byType.quote_proximity)]);
    for (const side of SIDES) rows.push([side, text.number(counts.bySide[side])]);
  }
  return rows;
}

/**
 * @param {Frame} frame
 * @param {App} app
 */
function eventItems({ events }, { text, director, cursor }) {
  const all = [
    ...events.bursts.map((event) => ({ ...event, type: "burst" })),
    ...events.shocks.map((event) => ({ ...event, type: "shock" })),
  ].sort((a, b) => a.t - b.t);
  return all.map(({ type, t, value, score }) => {
    const words = text.t(type, { t, value: figureText(value, text), score: text.number(score, 1) });
    const button = element("button", { type: "button", className: `quiet ${type}` }, words);
    button.addEventListener("click", () => {
      const { run } = cursor.get();
      if (run !== null) director.seek(run, t);
    });
    return element("li", {}, button);
  });
}
