// @ts-check
/** The frame in words: one line with the counts, and a text in place of the picture. */

import { element as make, say } from "../people/elements.js";
import { paced } from "../state/paced.js";

/** @typedef {import("../types.js").Filtered} Filtered */
/** @typedef {import("../types.js").App} App */
/** @typedef {import("../people/text.js").Text} Text */

/** Milliseconds: the line changes at most so often, the text in place of the picture so often. */
const PAUSE = { line: 250, words: 5_000, announced: 700 };

/**
 * "709 of 10,000 linked; cap reached; 1,000 match, 1,000 proximity", and how many are shown when
 * filters hide some.
 * @param {Text} text
 * @param {Filtered} filtered
 * @returns {string}
 */
export function countsLine(text, { counts }) {
  const parts = [];
  if (counts.shownNodes < counts.nodes) {
    parts.push(text.t("countsShown", { shown: counts.shownNodes, nodes: counts.nodes }));
  }
  parts.push(text.t("countsLinked", { linked: counts.linkedNodes, nodes: counts.nodes }));
  if (counts.capReached) parts.push(text.t("capReached"));
  parts.push(edgesPart(text, counts));
  return parts.join(text.t("partsJoint"));
}

/** @param {Text} text @param {import("../types.js").FilterCounts} counts */
function edgesPart(text, { byType, shownByType }) {
  const part = (/** @type {"match" | "quote_proximity"} */ type) => {
    const all = byType[type] === shownByType[type];
    const values = { shown: shownByType[type], all: byType[type], type: text.t(`${type}Short`) };
    return text.t(all ? "countsEdges" : "countsEdgesOf", values);
  };
  return [part("match"), part("quote_proximity")].join(text.t("listJoint"));
}

/**
 * Say what the picture shows: agents by side, edges by type, groups.
 * @param {Text} text
 * @param {Filtered} filtered
 * @returns {string}
 */
export function inWords(text, filtered) {
  const { moment, counts } = filtered;
  const { groups, largest } = groupsOf(filtered);
  return text.t("inWords", {
    t: moment.t,
    nodes: counts.nodes,
    shown: counts.shownNodes,
    ...counts.bySide,
    edges: counts.shownEdges,
    matches: counts.shownByType.match,
    near: counts.shownByType.quote_proximity,
    linked: counts.linkedNodes,
    groups,
    largest,
  });
}

/**
 * Return into how many groups edges that are shown join the agents, and how large the largest is.
 *
 * Cost: near a pass over nodes and edges (union by halving of paths).
 *
 * @param {Filtered} filtered
 * @returns {{groups: number, largest: number}}
 */
export function groupsOf({ moment: { frame }, edges, linked }) {
  const parent = Int32Array.from(linked, (_, row) => row);
  const rootOf = (/** @type {number} */ row) => {
    let at = row;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at]];
      at = parent[at];
    }
    return at;
  };
  for (let edge = 0; edge < edges.length; edge++) {
    if (edges[edge]) parent[rootOf(frame.edges.src[edge])] = rootOf(frame.edges.dst[edge]);
  }
  const sizes = new Map();
  for (let row = 0; row < linked.length; row++) {
    if (linked[row]) sizes.set(rootOf(row), (sizes.get(rootOf(row)) ?? 0) + 1);
  }
  let largest = 0;
  for (const size of sizes.values()) largest = Math.max(largest, size);
  return { groups: sizes.size, largest };
}

/** The words around the picture, which follow it slowly. */
export class Summary {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.line = make("p", { className: "counts" });
    this.words = make("p", { className: "visually-hidden", id: "structure-words" });
    /** Says the counts when a filter was changed, and nothing as frames go by. */
    this.live = make("p", { className: "visually-hidden", "aria-live": "polite" });
    this.filters = this.#filters();
    const line = paced(PAUSE.line, () => this.#tell(this.line, countsLine));
    const words = paced(PAUSE.words, () => this.#tell(this.words, inWords));
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.announcing = undefined;
    this.ends = [
      app.filtered.follow(() => {
        line.ask();
        if (this.#moving()) words.ask();
        else words.now();
      }),
      app.text.follow(() => {
        line.now();
        words.now();
      }),
      app.settings.follow(() => this.#announceSoon()),
      line.end,
      words.end,
    ];
  }

  dispose() {
    clearTimeout(this.announcing);
    for (const end of this.ends) end();
  }

  #moving() {
    const { mode, playing } = this.app.cursor.get();
    return mode === "live" || playing;
  }

  /** @param {Element} element @param {(text: Text, filtered: Filtered) => string} words */
  #tell(element, words) {
    const filtered = this.app.filtered.get();
    if (filtered) say(element, words(this.app.text, filtered));
  }

  /** A filter that was dragged is announced when it stands still. */
  #announceSoon() {
    const filters = this.#filters();
    if (filters === this.filters) return;
    this.filters = filters;
    clearTimeout(this.announcing);
    this.announcing = setTimeout(() => this.#tell(this.live, countsLine), PAUSE.announced);
  }

  #filters() {
    const { types, minWeight, sides, ranges, linkedOnly } = this.app.settings.get();
    return JSON.stringify([types, minWeight, sides, ranges, linkedOnly]);
  }
}
