// @ts-check
/** The Worker in which the layout by forces is computed: a graph or more steps in, places out. */

import { Forces } from "./force.js";

/** @typedef {import("./force.js").Graph} Graph */
/** @typedef {{graph: Graph | null, steps: number}} Job null goes on with the graph before */
/** @typedef {{ids: Float64Array, x: Float32Array, y: Float32Array, settled: boolean}} Laid */

const forces = new Forces();

self.onmessage = (/** @type {MessageEvent<Job>} */ { data: { graph, steps } }) => {
  if (graph) forces.take(graph);
  forces.run(steps);
  /** @type {Laid} */
  const laid = {
    ids: forces.graph.ids.slice(),
    x: Float32Array.from(forces.x),
    y: Float32Array.from(forces.y),
    settled: forces.settled,
  };
  const transfer = [laid.ids.buffer, laid.x.buffer, laid.y.buffer];
  self.postMessage(laid, { transfer });
};
