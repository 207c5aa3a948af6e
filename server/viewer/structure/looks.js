// @ts-check
/** What nodes look like: colour, size, shape, and how far they step back. */

import { BYTES, COLOR, FORM } from "./crowd.js";
import { extent } from "./features.js";
import { SteadyRange } from "./range.js";
import { SHAPES } from "./shaders.js";

/** @typedef {import("../types.js").Filtered} Filtered */
/** @typedef {import("../types.js").Settings} Settings */
/** @typedef {import("./crowd.js").Crowd} Crowd */
/** @typedef {import("./focus.js").Focus} Focus */
/** @typedef {import("./colors.js").Theme} Theme */

/** Strengths of nodes, 0 to 255. */
const STRENGTH = { plain: 205, focused: 255, dimmed: 44 };
/** Radii in pixels are stored in sixteenths. */
const FINE = 16;
/** Many nodes are drawn smaller than few: the radius of medium size by their number. */
const RADII = { fewest: 200, most: 10_000, large: 4.6, small: 2.2 };
/** In the layout by forces they are smaller: edges are short there. */
const FORCED = 0.75;
/** Least and greatest radius in shares of the medium one. */
const SPREAD = { least: 0.6, most: 2 };

/** Writes the looks of a frame's nodes into a crowd. */
export class Looks {
  /** @param {import("../data/figures.js").FeatureReader} reader */
  constructor(reader) {
    this.reader = reader;
    this.color = new SteadyRange();
    this.size = new SteadyRange();
    this.order = new Uint32Array(1024);
    this.known = "";
    /** Radius of medium size, in pixels. */
    this.medium = RADII.large;
  }

  /**
   * @param {Filtered} filtered
   * @param {Settings} settings
   * @param {Theme} theme
   * @param {Crowd} crowd whose rows are those of the frame
   */
  paint({ moment, counts }, settings, theme, crowd) {
    const { frame, run } = moment;
    this.medium =
      settings.layout === "force"
        ? FORCED * mediumRadius(counts.linkedNodes)
        : mediumRadius(counts.shownNodes);
    const known = `${run} ${settings.color} ${settings.size}`;
    if (known !== this.known) {
      this.color.reset();
      this.size.reset();
      this.known = known;
    }
    this.#shapes(frame, crowd);
    if (settings.color === "dominant_side") this.#bySide(frame, theme, crowd);
    else this.#byNumber(this.reader.read(frame, settings.color), theme, crowd);
    this.#sizes(frame, settings.size, crowd);
  }

  /**
   * Let all but those in focus step back, and return the nodes in the order in which they are
   * drawn: those in focus last, those not to be seen not at all.
   * @param {Crowd} crowd
   * @param {Focus} focus
   * @returns {Uint32Array}
   */
  stress(crowd, focus) {
    const { bytes, count } = crowd.page;
    if (this.order.length < count) this.order = new Uint32Array(Math.ceil(count * 1.5));
    let added = 0;
    for (const top of focus.any ? [false, true] : [false]) {
      for (let row = 0; row < count; row++) {
        const at = row * BYTES;
        const raised = focus.any && row < crowd.rows && focus.has(row);
        if (raised !== top || !(bytes[at + FORM] || bytes[at + FORM + 1])) continue;
        bytes[at + COLOR + 3] = strengthOf(focus.any, raised);
        this.order[added++] = row;
      }
    }
    return this.order.subarray(0, added);
  }

  /** @param {import("../types.js").Frame} frame @param {Crowd} crowd */
  #shapes({ nodes }, { page: { bytes } }) {
    const shapes = nodes.sides.map((side) => /** @type {any} */ (SHAPES)[side] ?? SHAPES.none);
    for (let row = 0; row < nodes.count; row++) {
      bytes[row * BYTES + FORM + 3] = shapes[nodes.dominant_side[row]];
    }
  }

  /** @param {import("../types.js").Frame} frame @param {Theme} theme @param {Crowd} crowd */
  #bySide({ nodes }, theme, { page: { bytes } }) {
    const colors = nodes.sides.map(
      (side) => /** @type {any} */ (theme.rgb)[side] ?? theme.rgb.none,
    );
    for (let row = 0; row < nodes.count; row++) {
      const [r, g, b] = colors[nodes.dominant_side[row]];
      const at = row * BYTES + COLOR;
      bytes[at] = r;
      bytes[at + 1] = g;
      bytes[at + 2] = b;
    }
  }

  /** @param {Float64Array} values @param {Theme} theme @param {Crowd} crowd */
  #byNumber(values, theme, { page: { bytes } }) {
    this.color.hold(...extent(values));
    const { low, high } = this.color;
    const steps = theme.scale.length / 3 - 1;
    for (let row = 0; row < values.length; row++) {
      const at = row * BYTES + COLOR;
      const step = 3 * Math.round(((values[row] - low) / (high - low)) * steps);
      const known = step >= 0; // NaN is not
      bytes[at] = known ? theme.scale[step] : theme.rgb.none[0];
      bytes[at + 1] = known ? theme.scale[step + 1] : theme.rgb.none[1];
      bytes[at + 2] = known ? theme.scale[step + 2] : theme.rgb.none[2];
    }
  }

  /**
   * @param {import("../types.js").Frame} frame
   * @param {Settings["size"]} feature
   * @param {Crowd} crowd
   */
  #sizes(frame, feature, { page: { bytes } }) {
    const { count } = frame.nodes;
    const { medium } = this;
    const values = feature === "constant" ? null : this.reader.read(frame, feature);
    if (values) this.size.hold(...extent(values));
    for (let row = 0; row < count; row++) {
      const radius = values ? radiusOf(values[row], this.size, medium) : medium;
      bytes[row * BYTES + FORM + 2] = Math.min(255, radius * FINE);
    }
  }
}

/** @param {boolean} any @param {boolean} raised */
function strengthOf(any, raised) {
  if (!any) return STRENGTH.plain;
  return raised ? STRENGTH.focused : STRENGTH.dimmed;
}

/**
 * Return the radius of nodes of medium size, in pixels; in quarters, so that it changes seldom.
 * @param {number} count of the nodes that are seen
 */
function mediumRadius(count) {
  const share = Math.log(Math.max(1, count) / RADII.fewest) / Math.log(RADII.most / RADII.fewest);
  const radius = RADII.large + (RADII.small - RADII.large) * Math.min(1, Math.max(0, share));
  return Math.round(4 * radius) / 4;
}

/**
 * Return the radius for a value, in pixels: the area grows evenly with the value. What is unknown
 * is smallest.
 * @param {number} value
 * @param {SteadyRange} range
 * @param {number} medium
 */
export function radiusOf(value, { low, high }, medium) {
  const share = (value - low) / (high - low);
  const { least, most } = SPREAD;
  return medium * Math.sqrt(least ** 2 + Math.max(0, share || 0) * (most ** 2 - least ** 2));
}
