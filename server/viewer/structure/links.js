// @ts-check
/** The edges on the screen, as the graphics card takes them: two ends each, which move like nodes. */

import { FLOATS } from "./crowd.js";

/** Floats of one end: its way, the other end's way, colour, form. */
const END = 10;
export const EDGE_BYTES = 2 * END * 4;
/** Where the bytes of an end begin. Colour: red, green, blue, strength. Form: which end, dashed. */
export const EDGE_COLOR = 32;
export const EDGE_FORM = 36;

/** Strengths of edges, 0 to 255: of the weakest and of the strongest. */
const STRENGTH = { weak: 70, strong: 190, focused: 235, dimmed: 16 };

/** @typedef {import("../types.js").Filtered} Filtered */

/** Edges that are shown; those of focused agents are drawn last. */
export class Links {
  constructor() {
    this.floats = new Float32Array(4096 * END);
    this.bytes = new Uint8Array(this.floats.buffer);
    this.count = 0;
  }

  /** Bytes for the graphics card. */
  get data() {
    return this.bytes.subarray(0, this.count * EDGE_BYTES);
  }

  /**
   * Take over the edges that are shown, as far as both their ends have a place.
   *
   * Cost: a pass over the edges for each of the two depths.
   *
   * @param {Filtered} filtered
   * @param {import("./crowd.js").Crowd} crowd whose rows are those of the frame
   * @param {import("./focus.js").Focus} focus
   * @param {import("./colors.js").Theme} theme
   */
  fill(filtered, crowd, focus, theme) {
    const { edges } = filtered.moment.frame;
    this.#makeRoom(filtered.counts.shownEdges);
    this.count = 0;
    const heaviest = heaviestOf(filtered);
    for (const deep of focus.any ? [false, true] : [false]) {
      for (let row = 0; row < edges.count; row++) {
        if (!filtered.edges[row] || !crowd.shows(edges.src[row]) || !crowd.shows(edges.dst[row]))
          continue;
        const touches = focus.isOwn(edges.src[row]) || focus.isOwn(edges.dst[row]);
        if (focus.any && touches !== deep) continue;
        const share = edges.w[row] / (heaviest[edges.type[row]] || 1);
        this.#add(edges, row, crowd, paintOf(edges.types[edges.type[row]], theme));
        this.#strengthen(strengthOf(share, focus.any, touches));
      }
    }
  }

  /** @param {number} edges */
  #makeRoom(edges) {
    if (this.floats.length >= edges * 2 * END) return;
    this.floats = new Float32Array(Math.ceil(edges * 1.5) * 2 * END);
    this.bytes = new Uint8Array(this.floats.buffer);
  }

  /**
   * @param {import("../columns.js").Edges} edges
   * @param {number} row
   * @param {import("./crowd.js").Crowd} crowd
   * @param {{rgb: number[], dashed: number}} paint
   */
  #add(edges, row, crowd, { rgb, dashed }) {
    const way = crowd.page.floats;
    const ends = [edges.src[row] * FLOATS, edges.dst[row] * FLOATS];
    for (let end = 0; end < 2; end++) {
      const at = (2 * this.count + end) * END;
      const [own, other] = [ends[end], ends[1 - end]];
      for (let k = 0; k < 4; k++) {
        this.floats[at + k] = way[own + k];
        this.floats[at + 4 + k] = way[other + k];
      }
      this.bytes.set(rgb, 4 * at + EDGE_COLOR);
      this.bytes[4 * at + EDGE_FORM] = 255 * end;
      this.bytes[4 * at + EDGE_FORM + 1] = 255 * dashed;
    }
    this.count++;
  }

  /** @param {number} strength of the edge added last */
  #strengthen(strength) {
    const at = (this.count - 1) * EDGE_BYTES + EDGE_COLOR + 3;
    this.bytes[at] = strength;
    this.bytes[at + EDGE_BYTES / 2] = strength;
  }
}

/** @param {string} type @param {import("./colors.js").Theme} theme */
function paintOf(type, theme) {
  return type === "match"
    ? { rgb: theme.rgb.match, dashed: 0 }
    : { rgb: theme.rgb.proximity, dashed: 1 };
}

/** @param {number} share of the heaviest of its type @param {boolean} any @param {boolean} touches */
function strengthOf(share, any, touches) {
  if (any) return touches ? STRENGTH.focused : STRENGTH.dimmed;
  return STRENGTH.weak + (STRENGTH.strong - STRENGTH.weak) * share;
}

/** @param {Filtered} filtered */
function heaviestOf({ moment: { frame } }) {
  const { count, type, types, w } = frame.edges;
  const heaviest = new Array(types.length).fill(0);
  for (let row = 0; row < count; row++) {
    if (w[row] > heaviest[type[row]]) heaviest[type[row]] = w[row];
  }
  return heaviest;
}
