// @ts-check
/** What of a frame passes the filters, with its counts. */

import { FeatureReader } from "../data/figures.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").Moment} Moment */
/** @typedef {import("../types.js").Frame} Frame */
/** @typedef {import("../types.js").Settings} Settings */
/** @typedef {import("../types.js").Feature} Feature */
/** @typedef {import("../types.js").Filtered} Filtered */
/** @typedef {import("../types.js").FilterCounts} FilterCounts */

/** @type {(keyof Settings)[]} */
const FILTERS = ["types", "minWeight", "sides", "ranges", "linkedOnly"];

/**
 * Keep `app.filtered` in step with the moment and the filters.
 * @param {App} app
 * @returns {() => void} ends it
 */
export function followFilters(app) {
  const reader = new FeatureReader();
  const refresh = () => {
    const moment = app.moment.get();
    const cap = moment && capOf(app, moment.run);
    app.filtered.set(moment && filterMoment(moment, app.settings.get(), cap, reader));
  };
  let cap = /** @type {number | null} */ (null);
  const ends = [
    app.moment.follow(refresh),
    app.settings.followFields(FILTERS, refresh),
    app.recording.follow(() => {
      const moment = app.moment.get();
      const now = moment && capOf(app, moment.run);
      if (now !== cap) refresh();
      cap = now;
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}

/** @param {App} app @param {string} run */
function capOf(app, run) {
  return app.recording.get().runs.find((known) => known.run === run)?.edgeCap ?? null;
}

/**
 * Return what of a moment is shown. An edge is shown if its type and weight are, and both its ends
 * pass the filters of nodes. Of `linkedOnly` only what an edge that is shown leads to remains.
 *
 * Cost: a pass over the nodes for each range, and one over the edges.
 *
 * @param {Moment} moment
 * @param {Settings} settings
 * @param {number | null} cap edges that the camera keeps at most, if known
 * @param {FeatureReader} [reader]
 * @returns {Filtered}
 */
export function filterMoment(moment, settings, cap, reader = new FeatureReader()) {
  const { frame } = moment;
  const nodes = passing(frame, settings, reader);
  const { edges, linked } = passingEdges(frame, settings, nodes);
  if (settings.linkedOnly) nodes.set(linked);
  return { moment, nodes, edges, linked, counts: count(frame, { nodes, edges, linked }, cap) };
}

/**
 * Return how many nodes have a feature within a range, both ends included.
 * @param {Float64Array} values
 * @param {[number, number]} range
 * @returns {number}
 */
export function countWithin(values, [low, high]) {
  let found = 0;
  for (let row = 0; row < values.length; row++) {
    if (values[row] >= low && values[row] <= high) found++;
  }
  return found;
}

/** @param {Frame} frame @param {Settings} settings @param {FeatureReader} reader */
function passing(frame, settings, reader) {
  const { count: rows, sides, dominant_side } = frame.nodes;
  const passes = new Uint8Array(rows);
  const wanted = sides.map((side) => /** @type {string[]} */ (settings.sides).includes(side));
  for (let row = 0; row < rows; row++) passes[row] = wanted[dominant_side[row]] ? 1 : 0;
  for (const [feature, range] of Object.entries(settings.ranges)) {
    keepWithin(passes, reader.read(frame, /** @type {Feature} */ (feature)), range);
  }
  return passes;
}

/** @param {Uint8Array} passes @param {Float64Array} values @param {[number, number]} range */
function keepWithin(passes, values, [low, high]) {
  for (let row = 0; row < passes.length; row++) {
    if (!(values[row] >= low && values[row] <= high)) passes[row] = 0; // NaN too
  }
}

/** @param {Frame} frame @param {Settings} settings @param {Uint8Array} nodes */
function passingEdges(frame, settings, nodes) {
  const { count: rows, src, dst, type, types, w } = frame.edges;
  const edges = new Uint8Array(rows);
  const linked = new Uint8Array(nodes.length);
  const wanted = types.map((name) => /** @type {string[]} */ (settings.types).includes(name));
  for (let row = 0; row < rows; row++) {
    const ends = nodes[src[row]] && nodes[dst[row]];
    if (!ends || !wanted[type[row]] || w[row] < settings.minWeight) continue;
    edges[row] = 1;
    linked[src[row]] = 1;
    linked[dst[row]] = 1;
  }
  return { edges, linked };
}

/**
 * @param {Frame} frame
 * @param {{nodes: Uint8Array, edges: Uint8Array, linked: Uint8Array}} shown
 * @param {number | null} cap
 * @returns {FilterCounts}
 */
function count(frame, { nodes, edges, linked }, cap) {
  const bySide = {
    buy: 0,
    sell: 0,
    none: 0,
    ...tally(frame.nodes.dominant_side, frame.nodes.sides),
  };
  const byType = { match: 0, quote_proximity: 0, ...tally(frame.edges.type, frame.edges.types) };
  const shownByType = {
    match: 0,
    quote_proximity: 0,
    ...tally(frame.edges.type, frame.edges.types, edges),
  };
  return {
    nodes: nodes.length,
    shownNodes: ones(nodes),
    linkedNodes: ones(linked),
    edges: edges.length,
    shownEdges: ones(edges),
    byType,
    shownByType,
    bySide,
    capReached: cap !== null && edges.length >= cap,
  };
}

/**
 * @param {import("../columns.js").Column} codes
 * @param {string[]} names
 * @param {Uint8Array} [only] rows that count
 * @returns {Record<string, number>}
 */
function tally(codes, names, only) {
  const found = new Array(names.length).fill(0);
  for (let row = 0; row < codes.length; row++) {
    if (!only || only[row]) found[codes[row]]++;
  }
  return Object.fromEntries(names.map((name, code) => [name, found[code]]));
}

/** @param {Uint8Array} flags */
function ones(flags) {
  let found = 0;
  for (let row = 0; row < flags.length; row++) found += flags[row];
  return found;
}
