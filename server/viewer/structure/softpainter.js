// @ts-check
/**
 * Draws nodes and edges pixel by pixel, for machines without a graphics card, on which WebGL costs
 * several times as much. What it draws is what painter.js draws.
 */

import { COLOR, FLOATS, FORM, BYTES as NODE_BYTES } from "./crowd.js";
import { EDGE_BYTES, EDGE_COLOR, EDGE_FORM } from "./links.js";
import { DASH } from "./shaders.js";
import { Masks } from "./softmask.js";
import { Pixels } from "./softpixels.js";

/** @typedef {import("./painter.js").View} View */
/**
 * From the unit square to pixels from above.
 * @typedef {{scaleX: number, shiftX: number, scaleY: number, shiftY: number}} Way
 */

/** Draws into a canvas. */
export class SoftPainter {
  /** @param {OffscreenCanvas} canvas @param {OffscreenCanvasRenderingContext2D} pen its context */
  constructor(canvas, pen) {
    this.canvas = canvas;
    this.pen = pen;
    this.soft = true;
    this.pixels = new Pixels(canvas.width, canvas.height);
    this.masks = new Masks();
    /** @type {Uint8Array} */
    this.nodes = new Uint8Array(0);
    /** @type {Uint8Array} */
    this.edges = new Uint8Array(0);
    /** @type {Uint32Array} */
    this.order = new Uint32Array(0);
  }

  /** Nobody takes a processor away. */
  restore() {}

  /** @param {number} width @param {number} height in device pixels */
  resize(width, height) {
    this.canvas.width = width;
    this.canvas.height = height;
    this.pixels = new Pixels(width, height);
  }

  /** @param {Uint8Array} data see crowd.js @param {Uint32Array} order nodes, those on top last */
  setNodes(data, order) {
    this.nodes = data;
    this.order = order;
  }

  /** @param {Uint8Array} data see links.js */
  setEdges(data) {
    this.edges = data;
  }

  /** @param {View} view */
  draw(view) {
    const { pixels, canvas } = this;
    const way = wayOf(view.clip, canvas);
    pixels.clear(view.scissor);
    this.#drawEdges(view, way);
    this.#drawNodes(view, way);
    this.pen.putImageData(pixels.image(), 0, 0);
  }

  /** @param {View} view @param {Way} way */
  #drawEdges({ share, ratio }, { scaleX, shiftX, scaleY, shiftY }) {
    const { pixels, edges } = this;
    const floats = floatsOf(edges);
    const dash = DASH.length * ratio;
    for (let at = 0; at < edges.length; at += EDGE_BYTES) {
      const k = at / 4;
      pixels.line(
        scaleX * (floats[k] + (floats[k + 2] - floats[k]) * share) + shiftX,
        scaleY * (floats[k + 1] + (floats[k + 3] - floats[k + 1]) * share) + shiftY,
        scaleX * (floats[k + 4] + (floats[k + 6] - floats[k + 4]) * share) + shiftX,
        scaleY * (floats[k + 5] + (floats[k + 7] - floats[k + 5]) * share) + shiftY,
        premultiplied(edges, at + EDGE_COLOR, edges[at + EDGE_COLOR + 3]),
        edges[at + EDGE_FORM + 1] ? dash : 0,
      );
    }
  }

  /** @param {View} view @param {Way} way */
  #drawNodes({ share, ratio, grow }, { scaleX, shiftX, scaleY, shiftY }) {
    const { pixels, nodes, masks } = this;
    const floats = floatsOf(nodes);
    masks.growTo(grow * ratio);
    for (const node of this.order) {
      const at = node * NODE_BYTES;
      const k = node * FLOATS;
      const [start, end] = [nodes[at + FORM], nodes[at + FORM + 1]];
      const opacity = ((start + (end - start) * share) * nodes[at + COLOR + 3]) / 255;
      if (opacity < 0.5) continue;
      const x = scaleX * (floats[k] + (floats[k + 2] - floats[k]) * share) + shiftX;
      const y = scaleY * (floats[k + 1] + (floats[k + 3] - floats[k + 1]) * share) + shiftY;
      const [left, top] = [Math.floor(x), Math.floor(y)];
      const mask = masks.of(nodes[at + FORM + 2], nodes[at + FORM + 3], x - left, y - top);
      const color = premultiplied(nodes, at + COLOR, Math.round(opacity));
      pixels.stamp(mask, left - mask.half, top - mask.half, color);
    }
  }
}

/** @param {number[]} clip @param {{width: number, height: number}} size @returns {Way} */
function wayOf([scaleX, scaleY, shiftX, shiftY], { width, height }) {
  const [x, y] = [width / 2, height / 2];
  return {
    scaleX: scaleX * x,
    shiftX: (shiftX + 1) * x,
    scaleY: -scaleY * y,
    shiftY: (1 - shiftY) * y,
  };
}

/** @param {Uint8Array} bytes */
function floatsOf(bytes) {
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

/**
 * Return a colour as `Pixels` takes it.
 * @param {Uint8Array} bytes red, green, blue
 * @param {number} at where they begin
 * @param {number} opacity 0 to 255
 */
function premultiplied(bytes, at, opacity) {
  const [red, green, blue] = [bytes[at], bytes[at + 1], bytes[at + 2]];
  const share = opacity / 255;
  return ((opacity << 24) | ((blue * share) << 16) | ((green * share) << 8) | (red * share)) >>> 0;
}
