// @ts-check
/** Whom the user looks at: the selected agents, the one under the pointer, and their neighbours. */

import { rowOf } from "../data/figures.js";

/** @typedef {import("../types.js").Filtered} Filtered */

const NEIGHBOUR = 1;
const OWN = 2;

/** What is in focus, by row of a frame. */
export class Focus {
  constructor() {
    this.rows = new Uint8Array(0);
    /** Somebody who is shown is in focus: all others step back. */
    this.any = false;
    /** @type {number[]} rows of those in focus, in the order asked for; without neighbours */
    this.own = [];
  }

  /**
   * Find those in focus and their neighbours over edges that are shown.
   * @param {Filtered} filtered
   * @param {number[]} agents ids
   */
  look(filtered, agents) {
    const { frame } = filtered.moment;
    if (this.rows.length < frame.nodes.count) {
      this.rows = new Uint8Array(Math.ceil(frame.nodes.count * 1.25));
    }
    this.rows.fill(0);
    this.own = [];
    for (const agent of agents) {
      const row = rowOf(frame, agent);
      if (row < 0 || !filtered.nodes[row] || this.rows[row]) continue;
      this.rows[row] = OWN;
      this.own.push(row);
    }
    this.any = this.own.length > 0;
    if (this.any) this.#spread(filtered);
  }

  /** @param {number} row */
  isOwn(row) {
    return this.rows[row] === OWN;
  }

  /** In focus, or a neighbour. @param {number} row */
  has(row) {
    return this.rows[row] > 0;
  }

  /** @param {Filtered} filtered */
  #spread({ moment, edges: shown }) {
    const { count, src, dst } = moment.frame.edges;
    for (let row = 0; row < count; row++) {
      if (!shown[row]) continue;
      const [one, other] = [src[row], dst[row]];
      if (this.rows[one] === OWN && !this.rows[other]) this.rows[other] = NEIGHBOUR;
      if (this.rows[other] === OWN && !this.rows[one]) this.rows[one] = NEIGHBOUR;
    }
  }
}
