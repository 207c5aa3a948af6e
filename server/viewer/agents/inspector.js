// @ts-check
/**
 * All about the selected agents: every feature, its last course, and who they are linked with.
 * Without a selection: the frame in figures.
 */

import { rowOf } from "../data/figures.js";
import { element } from "../people/elements.js";
import { paced } from "../state/paced.js";
import { FEATURES } from "../state/settings.js";
import { differenceText, figureOfAgent, figureText } from "./figures.js";
import { neighbourList } from "./neighbours.js";
import { selectAgent } from "./selecting.js";
import { createSparkline, drawSparkline } from "./sparkline.js";
import { createSummary } from "./summary.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").Feature} Feature */
/** @typedef {import("../types.js").Frame} Frame */

const MOST_AGENTS = 4;
const HISTORY_FRAMES = 60;
const REDRAW_MS = 200;
const COLORS = ["--accent", "--sell", "--match", "--good"];

const SHOWN = FEATURES.filter((feature) => feature !== "agent_id");

/**
 * @param {HTMLElement} root
 * @param {App} app
 */
export function createInspector(root, app) {
  const summary = createSummary(app);
  const board = element("div", { className: "inspector" });
  const lines = SHOWN.map(() => createSparkline());
  root.append(summary.root, board);
  let builtFor = "";
  /** @type {(() => void)[]} */
  let writers = [];
  const figures = paced(REDRAW_MS, () => {
    for (const write of writers) write();
  });

  /** Return whether there is another board: its cells are empty. */
  const build = () => {
    const { selection, compare } = app.settings.get();
    const ids = selection.slice(0, MOST_AGENTS);
    const words = JSON.stringify([selection, compare, app.text.language]);
    if (words === builtFor) return false;
    builtFor = words;
    summary.root.hidden = ids.length > 0;
    board.hidden = ids.length === 0;
    writers = ids.length ? fillBoard(board, app, ids, lines) : [];
    return true;
  };

  const update = () => {
    const moment = app.moment.get();
    if (root.hidden || !moment) return;
    const isOther = build();
    if (!writers.length) summary.update();
    else if (isOther || moment.jump || !app.cursor.get().playing) figures.now();
    else figures.ask();
  };
  const ends = [
    app.moment.follow(update),
    app.settings.follow(update),
    app.compared.follow(update),
  ];
  return {
    update,
    dispose() {
      for (const end of ends) end();
      figures.end();
      summary.dispose();
    },
  };
}

/**
 * Build what shows some agents; return what writes their figures.
 * @param {HTMLElement} board
 * @param {App} app
 * @param {number[]} ids
 * @param {HTMLCanvasElement[]} lines a sparkline for each feature
 * @returns {(() => void)[]}
 */
function fillBoard(board, app, ids, lines) {
  const { text } = app;
  const compares = app.settings.get().compare !== null;
  const isAlone = ids.length === 1;
  const heads = ids.map((id) => agentHead(app, id, compares && isAlone ? 3 : 1));
  const body = element("tbody");
  const writers = SHOWN.map((feature, at) => {
    const cells = ids.map((id) => figureCells(app, id, feature, compares, isAlone));
    const name = element("th", { scope: "row" }, text.t(feature));
    body.append(
      element("tr", {}, name, ...cells.flatMap(({ made }) => made), element("td", {}, lines[at])),
    );
    return () => {
      for (const { write } of cells) write();
    };
  });
  const side = ids.map((id) => sideCell(app, id, compares && isAlone ? 3 : 1));
  body.append(
    element(
      "tr",
      {},
      element("th", { scope: "row" }, text.t("dominant_side")),
      ...side.map(({ made }) => made),
      element("td"),
    ),
  );
  const subheads = compares && isAlone ? [comparedHeads(app)] : [];
  const table = element(
    "table",
    { className: "figures" },
    element("caption", { className: "visually-hidden" }, text.t("selected")),
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        element("td"),
        ...heads,
        element("th", { scope: "col" }, text.t("history")),
      ),
      ...subheads,
    ),
    body,
  );
  const neighbours = ids.map((id) => neighbourList(app, id));
  board.replaceChildren(
    boardBar(app, ids),
    element(
      "div",
      { className: "scroller", tabIndex: 0, role: "region", "aria-label": text.t("selected") },
      table,
    ),
    ...neighbours.map(({ made }) => made),
  );
  const drawLines = () => drawHistories(app, ids, lines);
  return [
    ...writers,
    ...side.map(({ write }) => write),
    ...neighbours.map(({ write }) => write),
    drawLines,
  ];
}

/**
 * @param {App} app
 * @param {number[]} ids
 */
function boardBar(app, ids) {
  const { text, settings } = app;
  const rest = settings.get().selection.length - ids.length;
  const none = element("button", { type: "button" }, text.t("selectNone"));
  none.addEventListener("click", () => settings.set({ selection: [] }));
  return element(
    "div",
    { className: "board-bar" },
    element("span", {}, rest > 0 ? text.t("moreSelected", { count: rest }) : text.t("selected")),
    none,
  );
}

/**
 * @param {App} app
 * @param {number} id
 * @param {number} width columns that it spans
 */
function agentHead(app, id, width) {
  const remove = element(
    "button",
    {
      type: "button",
      className: "quiet",
      "aria-label": app.text.t("deselect", { id: String(id) }),
    },
    "×",
  );
  remove.addEventListener("click", () => selectAgent(app, id, true));
  return element("th", { scope: "col", colSpan: width }, `${id} `, remove);
}

/** @param {App} app */
function comparedHeads({ text, settings }) {
  const { compare } = settings.get();
  const words = ["now", `t = ${compare?.t}`, "Δ"];
  const heads = words.map((word) =>
    element("th", { scope: "col" }, word === "now" ? text.t("now") : word),
  );
  return element("tr", {}, element("td"), ...heads, element("td"));
}

/**
 * The cells of a feature of an agent: now; compared and alone, also then and the difference;
 * compared and among others, the difference under it.
 * @param {App} app
 * @param {number} id
 * @param {Feature} feature
 * @param {boolean} compares
 * @param {boolean} isAlone
 */
function figureCells(app, id, feature, compares, isAlone) {
  const { text } = app;
  const now = element("td", { className: "number" });
  const then = element("td", { className: "number soft" });
  const change = isAlone
    ? element("td", { className: "number" })
    : element("div", { className: "soft" });
  const write = () => {
    const value = figureOfAgent(frameOf(app), id, feature);
    now.textContent = figureText(value, text);
    if (!compares) return;
    const before = figureOfAgent(app.compared.get().frame, id, feature);
    then.textContent = figureText(before, text);
    change.textContent = differenceText(value, before, text);
    if (!isAlone) now.append(change);
  };
  return { made: compares && isAlone ? [now, then, change] : [now], write };
}

/**
 * @param {App} app
 * @param {number} id
 * @param {number} width
 */
function sideCell(app, id, width) {
  const made = element("td", { className: "number", colSpan: width });
  const write = () => {
    const frame = frameOf(app);
    const row = frame ? rowOf(frame, id) : -1;
    made.textContent =
      frame && row >= 0
        ? app.text.t(frame.nodes.sides[frame.nodes.dominant_side[row]])
        : app.text.t("notInFrame");
  };
  return { made, write };
}

/**
 * @param {App} app
 * @param {number[]} ids
 * @param {HTMLCanvasElement[]} lines
 */
function drawHistories(app, ids, lines) {
  const moment = app.moment.get();
  if (!moment) return;
  const frames = app.moments.before(moment.run, moment.t, HISTORY_FRAMES);
  const style = getComputedStyle(document.documentElement);
  const colors = COLORS.map((name) => style.getPropertyValue(name));
  SHOWN.forEach((feature, at) => {
    drawSparkline(lines[at], frames, { ids, feature, colors });
  });
}

/** @param {App} app */
function frameOf({ moment }) {
  return moment.get()?.frame ?? null;
}
