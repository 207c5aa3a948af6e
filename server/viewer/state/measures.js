// @ts-check
/** The measures of the graph that charts can show, and the graphs that are measured. */

/** @typedef {import("../types.js").Graph} Graph */
/** @typedef {import("../types.js").Measure} Measure */
/** @typedef {import("../types.js").MeasureKey} MeasureKey */

/** @type {readonly Graph[]} As `/measures` names them; `both` has all edges. */
export const GRAPHS = Object.freeze(["match", "quote_proximity", "both"]);

/**
 * Those that say most for what they cost, in the order in which they are offered, with their units.
 * Betweenness takes up to a quarter of a second a point, and what is followed from frame to frame
 * (`communities_born` and after) depends on the first frame that was asked for: neither is offered.
 * @type {Readonly<Record<Measure, string | null>>}
 */
export const MEASURES = Object.freeze({
  density: "unitShare",
  components: null,
  largest_component: "unitAgents",
  degree_mean: "unitEdges",
  degree_gini: "unitShare",
  transitivity: "unitShare",
  degree_assortativity: "unitCorrelation",
  side_assortativity: "unitCorrelation",
  experience_assortativity: "unitCorrelation",
  degree_centralization: "unitShare",
  modularity: "unitModularity",
  communities: null,
});

/** @type {ReadonlyMap<string, {graph: Graph, measure: Measure}>} what the keys of charts mean */
const PARTS = new Map(
  GRAPHS.flatMap((graph) =>
    /** @type {Measure[]} */ (Object.keys(MEASURES)).map((measure) => [
      measureKey(graph, measure),
      { graph, measure },
    ]),
  ),
);

/** @type {readonly MeasureKey[]} By graph, as they are offered. */
export const MEASURE_KEYS = Object.freeze(/** @type {MeasureKey[]} */ ([...PARTS.keys()]));

/**
 * Return the name under which a measure of a graph is answered.
 * @param {Graph} graph
 * @param {Measure} measure
 * @returns {MeasureKey}
 */
export function measureKey(graph, measure) {
  return `${graph}_${measure}`;
}

/**
 * Return what is measured, and of which graph.
 * @param {MeasureKey} key
 */
export function partsOf(key) {
  return /** @type {{graph: Graph, measure: Measure}} */ (PARTS.get(key));
}

/**
 * @param {string} key
 * @returns {key is MeasureKey}
 */
export function isMeasure(key) {
  return PARTS.has(key);
}
