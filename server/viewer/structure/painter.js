// @ts-check
/**
 * Draws nodes and edges with WebGL2: a buffer of nodes, one of edges, one with the order of the
 * nodes. They are filled once a frame, and grow when they must.
 */

import { COLOR, FORM, BYTES as NODE_BYTES } from "./crowd.js";
import { EDGE_BYTES, EDGE_COLOR, EDGE_FORM } from "./links.js";
import { DASH, EDGE_FRAGMENT, EDGE_VERTEX, NODE_FRAGMENT, NODE_VERTEX } from "./shaders.js";

/** @typedef {WebGL2RenderingContext} Gl */
/** @typedef {{target: number, buffer: WebGLBuffer, room: number, count: number}} Store */
/** @typedef {{program: WebGLProgram, places: Map<string, WebGLUniformLocation | null>}} Program */

/**
 * One picture.
 * @typedef {object} View
 * @property {number[]} clip the way from the unit square to clip space: scale x, y, shift x, y
 * @property {number[]} scissor what is drawn in: left, bottom, width, height in device pixels
 * @property {number} ratio device pixels of a CSS pixel
 * @property {number} share of the way that the nodes have gone, 0 to 1
 * @property {number} grow factor of the radius
 */

/** Draws into a canvas. */
export class Painter {
  /** @param {OffscreenCanvas} canvas @param {Gl} gl its context */
  constructor(canvas, gl) {
    this.canvas = canvas;
    this.gl = gl;
    this.parts = partsOf(gl);
  }

  /** Make everything anew, after the context was lost and has come back; all is to be set again. */
  restore() {
    this.parts = partsOf(this.gl);
  }

  /** @param {number} width @param {number} height in device pixels */
  resize(width, height) {
    this.canvas.width = width;
    this.canvas.height = height;
  }

  /** @param {Uint8Array} data see crowd.js @param {Uint32Array} order nodes, those on top last */
  setNodes(data, order) {
    this.gl.bindVertexArray(this.parts.nodeArray);
    fill(this.gl, this.parts.nodes, data, data.length / NODE_BYTES);
    fill(this.gl, this.parts.order, order, order.length);
  }

  /** @param {Uint8Array} data see links.js */
  setEdges(data) {
    fill(this.gl, this.parts.edges, data, (2 * data.length) / EDGE_BYTES);
  }

  /** @param {View} view */
  draw(view) {
    const { gl, canvas } = this;
    const [left, bottom, width, height] = view.scissor;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.disable(gl.SCISSOR_TEST);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(left, bottom, width, height);
    this.#drawEdges(view);
    this.#drawNodes(view);
  }

  /** @param {View} view */
  #drawEdges({ clip, ratio, share }) {
    const { gl, canvas } = this;
    if (!this.parts.edges.count) return;
    const { program, places } = this.parts.edgeProgram;
    gl.useProgram(program);
    gl.uniform4fv(at(places, "lens"), clip);
    gl.uniform2f(at(places, "pixels"), canvas.width / 2, canvas.height / 2);
    gl.uniform1f(at(places, "share"), share);
    gl.uniform1f(at(places, "dash"), DASH.length * ratio);
    gl.bindVertexArray(this.parts.edgeArray);
    gl.drawArrays(gl.LINES, 0, this.parts.edges.count);
  }

  /** @param {View} view */
  #drawNodes({ clip, ratio, share, grow }) {
    const { gl } = this;
    if (!this.parts.order.count) return;
    const { program, places } = this.parts.nodeProgram;
    gl.useProgram(program);
    gl.uniform4fv(at(places, "lens"), clip);
    gl.uniform1f(at(places, "share"), share);
    gl.uniform1f(at(places, "grow"), grow * ratio);
    gl.bindVertexArray(this.parts.nodeArray);
    gl.drawElements(gl.POINTS, this.parts.order.count, gl.UNSIGNED_INT, 0);
  }
}

/** Make programs, buffers and what leads from the ones to the others. @param {Gl} gl */
function partsOf(gl) {
  const nodes = store(gl, gl.ARRAY_BUFFER);
  const order = store(gl, gl.ELEMENT_ARRAY_BUFFER);
  const edges = store(gl, gl.ARRAY_BUFFER);
  gl.enable(gl.BLEND);
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA); // colours come premultiplied
  gl.clearColor(0, 0, 0, 0);
  return {
    nodes,
    order,
    edges,
    nodeArray: nodeArray(gl, nodes, order),
    edgeArray: edgeArray(gl, edges),
    nodeProgram: program(gl, NODE_VERTEX, NODE_FRAGMENT, ["lens", "share", "grow"]),
    edgeProgram: program(gl, EDGE_VERTEX, EDGE_FRAGMENT, ["lens", "share", "pixels", "dash"]),
  };
}

/** @param {Gl} gl @param {Store} nodes @param {Store} order */
function nodeArray(gl, nodes, order) {
  const array = gl.createVertexArray();
  gl.bindVertexArray(array);
  gl.bindBuffer(gl.ARRAY_BUFFER, nodes.buffer);
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, order.buffer);
  attribute(gl, 0, 4, gl.FLOAT, NODE_BYTES, 0);
  attribute(gl, 1, 4, gl.UNSIGNED_BYTE, NODE_BYTES, COLOR);
  attribute(gl, 2, 4, gl.UNSIGNED_BYTE, NODE_BYTES, FORM);
  return array;
}

/** @param {Gl} gl @param {Store} edges */
function edgeArray(gl, edges) {
  const array = gl.createVertexArray();
  gl.bindVertexArray(array);
  gl.bindBuffer(gl.ARRAY_BUFFER, edges.buffer);
  const stride = EDGE_BYTES / 2;
  attribute(gl, 0, 4, gl.FLOAT, stride, 0);
  attribute(gl, 1, 4, gl.FLOAT, stride, 16);
  attribute(gl, 2, 4, gl.UNSIGNED_BYTE, stride, EDGE_COLOR);
  attribute(gl, 3, 2, gl.UNSIGNED_BYTE, stride, EDGE_FORM);
  return array;
}

/** @param {Gl} gl @param {number} target @returns {Store} */
function store(gl, target) {
  return { target, buffer: /** @type {WebGLBuffer} */ (gl.createBuffer()), room: 0, count: 0 };
}

/**
 * @param {Gl} gl
 * @param {Store} store
 * @param {Uint8Array | Uint32Array} data
 * @param {number} count
 */
function fill(gl, store, data, count) {
  gl.bindBuffer(store.target, store.buffer);
  if (data.byteLength > store.room) {
    store.room = Math.ceil(data.byteLength * 1.5);
    gl.bufferData(store.target, store.room, gl.DYNAMIC_DRAW);
  }
  gl.bufferSubData(store.target, 0, data);
  store.count = count;
}

/**
 * @param {Gl} gl
 * @param {number} place
 * @param {number} size
 * @param {number} type
 * @param {number} stride
 * @param {number} offset
 */
function attribute(gl, place, size, type, stride, offset) {
  gl.enableVertexAttribArray(place);
  gl.vertexAttribPointer(place, size, type, type === gl.UNSIGNED_BYTE, stride, offset);
}

/**
 * @param {Gl} gl
 * @param {string} vertex
 * @param {string} fragment
 * @param {string[]} names
 * @returns {Program}
 */
function program(gl, vertex, fragment, names) {
  const made = /** @type {WebGLProgram} */ (gl.createProgram());
  for (const [type, source] of /** @type {[number, string][]} */ ([
    [gl.VERTEX_SHADER, vertex],
    [gl.FRAGMENT_SHADER, fragment],
  ])) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(type));
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
    gl.deleteShader(shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(`the graphics program does not link: ${gl.getProgramInfoLog(made)}`);
  }
  return {
    program: made,
    places: new Map(names.map((name) => [name, gl.getUniformLocation(made, name)])),
  };
}

/** @param {Map<string, WebGLUniformLocation | null>} places @param {string} name */
function at(places, name) {
  return places.get(name) ?? null;
}
