// @ts-check
/**
 * The Worker that draws nodes and edges, so that the page has no picture to wait for. Of what comes
 * while it draws, the newest counts.
 */

import { painterOf } from "./painters.js";

/** @typedef {import("./painter.js").View} View */

/**
 * What is to be drawn, and what of it is new.
 * @typedef {object} Job
 * @property {OffscreenCanvas} [canvas] to draw into; the first time
 * @property {[number, number]} [size] width and height in device pixels
 * @property {{data: Uint8Array, order: Uint32Array}} [nodes]
 * @property {Uint8Array} [edges]
 * @property {View} [view] without it nothing is drawn yet
 * @property {number} [wanted] the picture is to be sent, under this number
 */

/**
 * @typedef {object} Told
 * @property {boolean} [lost] the graphics card was taken away, or has come back
 * @property {true} [first] there is something to see
 * @property {number} [wanted]
 * @property {ImageBitmap} [picture]
 */

/** @type {ReturnType<typeof painterOf> | null} */
let painter = null;
/** @type {Job} what has come since the last picture */
let next = {};
let request = 0;
let lost = false;
let seen = false;

self.onmessage = (/** @type {MessageEvent<Job>} */ { data: job }) => {
  if (job.canvas) begin(job.canvas);
  next = { ...next, ...job };
  if (job.wanted !== undefined) send(job.wanted);
  else if (!request) request = requestAnimationFrame(draw);
};

/** @param {Told} told @param {Transferable[]} [transfer] */
function tell(told, transfer = []) {
  self.postMessage(told, { transfer });
}

/** @param {OffscreenCanvas} canvas */
function begin(canvas) {
  painter = painterOf(canvas);
  canvas.addEventListener("webglcontextlost", (event) => {
    event.preventDefault(); // else it never comes back
    lost = true;
    tell({ lost });
  });
  canvas.addEventListener("webglcontextrestored", () => {
    painter?.restore();
    lost = false;
    tell({ lost });
  });
}

function draw() {
  cancelAnimationFrame(request);
  request = 0;
  if (!painter || lost) return;
  if (next.size) painter.resize(...next.size);
  if (next.nodes) painter.setNodes(next.nodes.data, next.nodes.order);
  if (next.edges) painter.setEdges(next.edges);
  if (next.view) painter.draw(next.view);
  if (!seen && next.nodes) {
    seen = true;
    tell({ first: true });
  }
  next = { view: next.view };
}

/** @param {number} wanted */
async function send(wanted) {
  if (!painter) return;
  draw();
  const picture = await createImageBitmap(painter.canvas);
  tell({ wanted, picture }, [picture]);
}
