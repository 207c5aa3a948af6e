// @ts-check
/**
 * A layout by forces: edges pull, nodes that are near push each other off, and a weak pull to the
 * middle keeps the pieces together. The method is that of d3-force (velocity Verlet with decay; the
 * pull of an edge is divided among its ends by their degrees); the push is cut off at a distance
 * and found by a grid, which is enough for graphs of many small pieces and costs less than a tree.
 *
 * It goes on from where the agents were in the graph before. The same graphs in the same order give
 * the same layouts.
 */

const LENGTH = 24;
const PUSH = 60;
const REACH = 60;
const GRAVITY = 0.035;
const DECAY = 0.6;
const COOLING = 0.97;
const COOL = 0.01;
/** Warmth of a graph whose agents are known, and of one that is all new. */
const WARM = { known: 0.12, fresh: 1 };

/**
 * @typedef {object} Graph
 * @property {Float64Array} ids of the agents, ascending
 * @property {Uint32Array} src indexes into `ids`, one an edge
 * @property {Uint32Array} dst
 */

/** A graph in motion. */
export class Forces {
  constructor() {
    /** @type {Graph} */
    this.graph = { ids: new Float64Array(0), src: new Uint32Array(0), dst: new Uint32Array(0) };
    this.x = new Float64Array(0);
    this.y = new Float64Array(0);
    this.vx = new Float64Array(0);
    this.vy = new Float64Array(0);
    this.degree = new Uint32Array(0);
    this.warmth = 0;
  }

  /** Nothing moves any more that could be seen. */
  get settled() {
    return this.warmth < COOL;
  }

  /**
   * Go over to another graph. Agents that were in the one before stay where they are; others begin
   * beside a neighbour that was, or in a spiral around the middle.
   * @param {Graph} graph
   */
  take(graph) {
    const known = new Map(Array.from(this.graph.ids, (id, k) => [id, [this.x[k], this.y[k]]]));
    const size = graph.ids.length;
    this.graph = graph;
    [this.x, this.y] = [new Float64Array(size).fill(Number.NaN), new Float64Array(size)];
    [this.vx, this.vy] = [new Float64Array(size), new Float64Array(size)];
    let fresh = 0;
    for (let k = 0; k < size; k++) {
      const place = known.get(graph.ids[k]);
      if (place) [this.x[k], this.y[k]] = place;
      else fresh++;
    }
    this.#countDegrees();
    this.#placeFresh();
    const wanted = WARM.known + (WARM.fresh - WARM.known) * (size ? fresh / size : 0);
    this.warmth = Math.max(this.warmth, wanted);
  }

  /**
   * Move for some steps, or until all is settled.
   *
   * Cost: a step is a pass over the edges and over the pairs of nodes within reach.
   *
   * @param {number} steps
   */
  run(steps) {
    for (let step = 0; step < steps && !this.settled; step++) {
      this.#pull();
      this.#push();
      this.#move();
      this.warmth *= COOLING;
    }
  }

  #countDegrees() {
    const { ids, src, dst } = this.graph;
    this.degree = new Uint32Array(ids.length);
    for (let edge = 0; edge < src.length; edge++) {
      this.degree[src[edge]]++;
      this.degree[dst[edge]]++;
    }
  }

  #placeFresh() {
    const { src, dst } = this.graph;
    for (let edge = 0; edge < src.length; edge++) {
      this.#placeBeside(src[edge], dst[edge]);
      this.#placeBeside(dst[edge], src[edge]);
    }
    for (let k = 0; k < this.x.length; k++) {
      if (Number.isNaN(this.x[k])) this.#placeAt(k, 0, 0, 10 * Math.sqrt(k + 0.5));
    }
  }

  /** @param {number} fresh @param {number} known */
  #placeBeside(fresh, known) {
    if (Number.isNaN(this.x[fresh]) && !Number.isNaN(this.x[known])) {
      this.#placeAt(fresh, this.x[known], this.y[known], LENGTH / 2);
    }
  }

  /** @param {number} k @param {number} x @param {number} y @param {number} radius */
  #placeAt(k, x, y, radius) {
    const angle = k * Math.PI * (3 - Math.sqrt(5));
    this.x[k] = x + radius * Math.cos(angle);
    this.y[k] = y + radius * Math.sin(angle);
  }

  #pull() {
    const { src, dst } = this.graph;
    const { x, y, vx, vy, degree, warmth } = this;
    for (let edge = 0; edge < src.length; edge++) {
      const [a, b] = [src[edge], dst[edge]];
      const dx = x[b] + vx[b] - x[a] - vx[a] || 1e-6;
      const dy = y[b] + vy[b] - y[a] - vy[a] || 1e-6;
      const length = Math.sqrt(dx * dx + dy * dy);
      const strength = warmth / Math.min(degree[a], degree[b]);
      const pull = ((length - LENGTH) / length) * strength;
      const share = degree[a] / (degree[a] + degree[b]);
      vx[b] -= dx * pull * share;
      vy[b] -= dy * pull * share;
      vx[a] += dx * pull * (1 - share);
      vy[a] += dy * pull * (1 - share);
    }
  }

  #push() {
    const grid = cellsOf(this.x, this.y);
    for (const [key, cell] of grid) {
      for (const step of [0, 1, GRID - 1, GRID, GRID + 1]) {
        const beside = grid.get(key + step);
        if (beside) this.#pushApart(cell, beside);
      }
    }
  }

  /**
   * Push the nodes of two cells off each other, or those of one cell.
   *
   * The innermost loop of the layout: all it needs is at hand, and nothing is called.
   *
   * @param {number[]} cell
   * @param {number[]} beside
   */
  #pushApart(cell, beside) {
    const { x, y, vx, vy } = this;
    const strength = PUSH * this.warmth;
    for (let k = 0; k < cell.length; k++) {
      const a = cell[k];
      for (let other = cell === beside ? k + 1 : 0; other < beside.length; other++) {
        const b = beside[other];
        const dx = x[b] - x[a] || 1e-3;
        const dy = y[b] - y[a] || 1e-3;
        const square = dx * dx + dy * dy;
        if (square > REACH * REACH) continue;
        const push = strength / Math.max(square, 4);
        vx[a] -= dx * push;
        vy[a] -= dy * push;
        vx[b] += dx * push;
        vy[b] += dy * push;
      }
    }
  }

  #move() {
    const { x, y, vx, vy, warmth } = this;
    for (let k = 0; k < x.length; k++) {
      vx[k] = (vx[k] - x[k] * GRAVITY * warmth) * DECAY;
      vy[k] = (vy[k] - y[k] * GRAVITY * warmth) * DECAY;
      x[k] += vx[k];
      y[k] += vy[k];
    }
  }
}

/** More cells than there can be side by side: keys of neighbours are that far apart. */
const GRID = 1 << 20;

/**
 * Return nodes by cells as wide as the push reaches.
 * @param {Float64Array} x
 * @param {Float64Array} y
 */
function cellsOf(x, y) {
  /** @type {Map<number, number[]>} */
  const cells = new Map();
  for (let k = 0; k < x.length; k++) {
    const key = Math.floor(y[k] / REACH) * GRID + Math.floor(x[k] / REACH);
    const cell = cells.get(key);
    if (cell) cell.push(k);
    else cells.set(key, [k]);
  }
  return cells;
}
