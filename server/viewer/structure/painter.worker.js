// @ts-check
/**
 * The Worker that draws nodes and edges, so that the page has no picture to wait for. Of what comes
 * while it draws, the newest counts.
 */

import { NoWebGL, Painter } from "./painter.js";

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
 * @property {string} [unable] why it cannot draw at all
 * @property {boolean} [lost] the graphics card was taken away, or has come back
 * @property {true} [first] there is something to see
 * @property {number} [wanted]
 * @property {ImageBitmap} [picture]
 */

/**
 * Milliseconds between two pictures of the same nodes where the processor draws: a picture of 10,000
 * of them and 2,000 edges takes it about 25 ms, and others need it too.
 */
const SOFT_PACE = 24;

/** @type {Painter | null} */
let painter = null;
/** @type {Job} what has come since the last picture */
let next = {};
let request = 0;
let drawn = 0;
let lost = false;
let seen = false;

self.onmessage = (/** @type {MessageEvent<Job>} */ { data: job }) => {
  if (job.canvas) begin(job.canvas);
  next = { ...next, ...job };
  if (job.wanted !== undefined) send(job.wanted);
  else if (!request) request = requestAnimationFrame(picture);
};

/** @param {Told} told @param {Transferable[]} [transfer] */
function tell(told, transfer = []) {
  self.postMessage(told, { transfer });
}

/** @param {OffscreenCanvas} canvas */
function begin(canvas) {
  try {
    painter = new Painter(canvas);
  } catch (error) {
    if (!(error instanceof NoWebGL)) throw error;
    tell({ unable: error.message });
    return;
  }
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

/** @param {number} now */
function picture(now) {
  request = 0;
  if (painter?.soft && !next.nodes && now - drawn < SOFT_PACE) {
    request = requestAnimationFrame(picture);
    return;
  }
  drawn = now;
  draw();
}

function draw() {
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
