// @ts-check
/** Nodes and edges as the page draws them: it says what is to be seen, and a Worker draws it. */

/** @typedef {import("./lens.js").Lens} Lens */
/** @typedef {import("./painter.worker.js").Job} Job */
/** @typedef {import("./painter.worker.js").Told} Told */

/** Draws into a canvas, which nothing else can draw into or read from then on. */
export class Renderer {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {object} given
   * @param {() => void} given.onUnable it cannot be drawn at all
   * @param {(lost: boolean) => void} given.onLoss the graphics card was taken away, or has come back
   *   and is to be given everything anew
   */
  constructor(canvas, { onUnable, onLoss }) {
    this.onLoss = onLoss;
    this.ratio = 1;
    /** @type {Job} what is new since the last picture */
    this.job = {};
    /** @type {Map<number, (picture: ImageBitmap) => void>} those who wait for a picture */
    this.waiting = new Map();
    this.asked = 0;
    this.worker = new Worker(new URL("./painter.worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.#take(data);
    this.worker.onerror = (event) => {
      event.preventDefault(); // it is told
      onUnable();
    };
    const offscreen = canvas.transferControlToOffscreen();
    this.worker.postMessage({ canvas: offscreen }, [offscreen]);
  }

  /** End the Worker. */
  dispose() {
    this.worker.terminate();
  }

  /**
   * @param {number} width
   * @param {number} height in CSS pixels
   * @param {number} ratio device pixels of a CSS pixel
   */
  resize(width, height, ratio) {
    this.ratio = ratio;
    this.job.size = [
      Math.max(1, Math.round(width * ratio)),
      Math.max(1, Math.round(height * ratio)),
    ];
  }

  /** @param {Uint8Array} data see crowd.js @param {Uint32Array} order nodes, those on top last */
  setNodes(data, order) {
    this.job.nodes = { data: data.slice(), order: order.slice() };
  }

  /** @param {Uint8Array} data see links.js */
  setEdges(data) {
    this.job.edges = data.slice();
  }

  /**
   * @param {object} view
   * @param {Lens} view.lens
   * @param {number} view.share of the way that the nodes have gone, 0 to 1
   * @param {number} view.grow factor of the radius
   */
  draw({ lens, share, grow }) {
    const { ratio } = this;
    this.job.view = { clip: clipOf(lens), scissor: scissorOf(lens, ratio), ratio, share, grow };
    this.#send();
  }

  /** The picture that was drawn last. @returns {Promise<ImageBitmap>} */
  picture() {
    return new Promise((resolve) => {
      this.waiting.set(++this.asked, resolve);
      this.job.wanted = this.asked;
      this.#send();
    });
  }

  #send() {
    const { nodes, edges } = this.job;
    const transfer = nodes ? [nodes.data.buffer, nodes.order.buffer] : [];
    this.worker.postMessage(this.job, edges ? [...transfer, edges.buffer] : transfer);
    this.job = {};
  }

  /** @param {Told} told */
  #take({ lost, first, wanted, picture }) {
    if (lost !== undefined) this.onLoss(lost);
    if (first) performance.mark("first-picture"); // for the browser's own timeline
    if (wanted === undefined || !picture) return;
    this.waiting.get(wanted)?.(picture);
    this.waiting.delete(wanted);
  }
}

/**
 * Return the way from the unit square to clip space: scale x, y, shift x, y.
 * @param {Lens} lens
 */
function clipOf({ factors, width, height }) {
  const { scaleX, shiftX, scaleY, shiftY } = factors;
  const [x, y] = [2 / width, -2 / height];
  return [scaleX * x, scaleY * y, shiftX * x - 1, shiftY * y + 1];
}

/** Return the plot in device pixels, from below. @param {Lens} lens @param {number} ratio */
function scissorOf(lens, ratio) {
  const { left, top, width, height } = lens.plot;
  const below = lens.height - top - height;
  return [left * ratio, below * ratio, width * ratio, height * ratio];
}
