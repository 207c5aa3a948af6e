// @ts-check
/** The layout by forces as the page sees it: asks the Worker, one job at a time, and places nodes. */

import { SteadyRange } from "./range.js";

/** @typedef {import("../types.js").Filtered} Filtered */
/** @typedef {import("./force.js").Graph} Graph */
/** @typedef {import("./force.worker.js").Laid} Laid */

/** What it takes at most. */
export const MOST_NODES = 2_000;
export const MOST_EDGES = 20_000;

/** Steps of a job: while frames go by, and for one that is shown at once as it will stay. */
const STEPS = { moving: 14, whole: 300 };
/** Milliseconds until a frame that still stands is settled further. */
const REST = 60;

/** Places linked agents. Others, and those that the Worker has not placed yet, have no place. */
export class ForceLayout {
  /**
   * @param {object} given
   * @param {() => void} given.onLaid there are new places
   * @param {(reason: string) => void} given.onError the Worker has failed
   * @param {() => boolean} given.still nothing may move: each frame is laid out in one go
   */
  constructor({ onLaid, onError, still }) {
    this.onLaid = onLaid;
    this.still = still;
    this.worker = new Worker(new URL("./force.worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.#take(data);
    this.worker.onerror = (event) => onError(event.message);
    /** @type {Laid} */
    this.laid = {
      ids: new Float64Array(0),
      x: new Float32Array(0),
      y: new Float32Array(0),
      settled: true,
    };
    this.range = new SteadyRange();
    this.busy = false;
    /** @type {Filtered | null} what was asked for last */
    this.asked = null;
    /** @type {Graph | null} the newest graph, while the Worker is at an older one */
    this.waiting = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** End the Worker. */
  dispose() {
    clearTimeout(this.timer);
    this.worker.terminate();
  }

  /** @param {Filtered} filtered */
  static takes({ counts }) {
    return counts.linkedNodes <= MOST_NODES && counts.shownEdges <= MOST_EDGES;
  }

  /**
   * Lay out the linked agents of a moment; `onLaid` is called when it is done. Of moments that come
   * meanwhile only the newest is laid out.
   * @param {Filtered} filtered
   */
  ask(filtered) {
    clearTimeout(this.timer);
    this.asked = filtered;
    const graph = graphOf(filtered);
    if (this.busy) this.waiting = graph;
    else this.#post(graph);
  }

  /** Another layout is shown: settle nothing further. */
  rest() {
    clearTimeout(this.timer);
    this.asked = null;
    this.waiting = null;
  }

  /**
   * Write where the nodes of a frame stand, NaN for those without a place.
   * @param {Filtered} filtered
   * @param {{x: Float32Array, y: Float32Array}} places
   */
  place({ moment, linked }, places) {
    const { count, agent_id } = moment.frame.nodes;
    const { low, high } = this.range;
    const { ids, x, y } = this.laid;
    let k = 0;
    for (let row = 0; row < count; row++) {
      while (k < ids.length && ids[k] < agent_id[row]) k++;
      const known = linked[row] && k < ids.length && ids[k] === agent_id[row];
      places.x[row] = known ? (x[k] - low) / (high - low) : Number.NaN;
      places.y[row] = known ? (y[k] - low) / (high - low) : Number.NaN;
    }
  }

  /** @param {Graph | null} graph null goes on with the one before */
  #post(graph) {
    this.busy = true;
    const steps = this.still() ? STEPS.whole : STEPS.moving;
    const transfer = graph ? [graph.ids.buffer, graph.src.buffer, graph.dst.buffer] : [];
    this.worker.postMessage({ graph, steps }, transfer);
  }

  /** @param {Laid} laid */
  #take(laid) {
    this.busy = false;
    this.laid = laid;
    let widest = 1;
    for (let k = 0; k < laid.x.length; k++) {
      widest = Math.max(widest, Math.abs(laid.x[k]), Math.abs(laid.y[k]));
    }
    this.range.hold(-widest, widest);
    const next = this.waiting;
    this.waiting = null;
    if (!this.asked) return;
    if (next) this.#post(next);
    else if (!laid.settled) this.timer = setTimeout(() => this.#post(null), REST);
    this.onLaid();
  }
}

/**
 * Return the linked agents and the edges that are shown.
 * @param {Filtered} filtered
 * @returns {Graph}
 */
function graphOf({ moment: { frame }, edges, linked, counts }) {
  const index = new Int32Array(frame.nodes.count);
  const ids = new Float64Array(counts.linkedNodes);
  let node = 0;
  for (let row = 0; row < index.length; row++) {
    if (!linked[row]) continue;
    index[row] = node;
    ids[node++] = frame.nodes.agent_id[row];
  }
  const src = new Uint32Array(counts.shownEdges);
  const dst = new Uint32Array(counts.shownEdges);
  let edge = 0;
  for (let row = 0; row < edges.length; row++) {
    if (!edges[row]) continue;
    src[edge] = index[frame.edges.src[row]];
    dst[edge++] = index[frame.edges.dst[row]];
  }
  return { ids, src, dst };
}
