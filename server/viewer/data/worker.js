// @ts-check
/**
 * The page's connections to the camera, in a thread of its own: it decodes what comes, so that the
 * page never waits for that.
 *
 * The page tells it (`Told`) to open and close connections, each with a number of its own, what to
 * say on them, and how many frames it has taken (`taken`). It answers (`Answer`). At most `UNDERWAY`
 * frames are on their way to the page at a time; of those that wait, the oldest are dropped before
 * they are decoded, and that is told: a page that cannot keep up shows the present, not the past.
 */

import { decodeFrame } from "../columns.js";

/** @typedef {import("../types.js").Frame} Frame */
/** @typedef {import("../types.js").Metric} Metric */

/**
 * @typedef {{do: "open", id: number, url: string, token: string | null}
 *   | {do: "say", id: number, message: object | string}
 *   | {do: "close", id: number}
 *   | {do: "taken", id: number}} Told
 */

/**
 * @typedef {{id: number, is: "open"}
 *   | {id: number, is: "closed", code: number, reason: string}
 *   | {id: number, is: "frame", frame: Frame}
 *   | {id: number, is: "metrics", metrics: Metric[]}
 *   | {id: number, is: "message", message: any}
 *   | {id: number, is: "dropped", count: number}
 *   | {id: number, is: "unreadable", reason: string}} Answer
 */

const UNDERWAY = 2;
const MOST_WAITING = 6;
const METRICS_EVERY_MS = 40;
/** What is said to a connection that does not open yet, at most; with more it is closed. */
const MOST_UNSAID = 256;
const WITHOUT_A_WORD = 1006;

const post = /** @type {(answer: Answer, transfer?: Transferable[]) => void} */ (
  /** @type {unknown} */ (self.postMessage.bind(self))
);

/** One connection, and what has come on it and is not passed on yet. */
class Connection {
  /**
   * @param {number} id
   * @param {string} url
   * @param {string | null} token
   */
  constructor(id, url, token) {
    this.id = id;
    /** @type {(object | string)[]} what is to be said as soon as it is open */
    this.unsaid = token === null ? [] : [{ type: "auth", token }];
    /** @type {(string | ArrayBuffer)[]} */
    this.waiting = [];
    this.frames = 0;
    this.underway = 0;
    /** @type {Metric[]} */
    this.metrics = [];
    this.metricsDue = false;
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      for (const message of this.unsaid.splice(0)) this.say(message);
      post({ id, is: "open" });
    };
    this.socket.onmessage = ({ data }) => this.take(data);
    this.socket.onclose = ({ code, reason }) => this.end(code, reason);
  }

  /** @param {object | string} message */
  say(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(textOf(message));
    else if (this.socket.readyState === WebSocket.CONNECTING) this.keep(message);
  }

  /** @param {object | string} message */
  keep(message) {
    this.unsaid.push(message);
    if (this.unsaid.length <= MOST_UNSAID) return;
    this.close();
    this.end(WITHOUT_A_WORD, `it does not open: ${MOST_UNSAID} messages wait`);
  }

  /** End it from here; nothing is told of it any more. */
  close() {
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
  }

  /**
   * Tell that it has ended, after all that came before.
   * @param {number} code
   * @param {string} reason
   */
  end(code, reason) {
    this.underway = Number.NEGATIVE_INFINITY; // nothing more can come: all that waits may go
    this.passOn();
    this.tellMetrics();
    post({ id: this.id, is: "closed", code, reason });
  }

  /** @param {string | ArrayBuffer} data */
  take(data) {
    this.waiting.push(data);
    if (data instanceof ArrayBuffer) {
      this.frames += 1;
      if (this.frames > MOST_WAITING) this.dropOldest();
    }
    this.passOn();
  }

  dropOldest() {
    const at = this.waiting.findIndex((data) => data instanceof ArrayBuffer);
    this.waiting.splice(at, 1);
    this.frames -= 1;
    post({ id: this.id, is: "dropped", count: 1 });
  }

  /** Pass on what may be passed on, in its order. */
  passOn() {
    while (this.waiting.length) {
      const isFrame = this.waiting[0] instanceof ArrayBuffer;
      if (isFrame && this.underway >= UNDERWAY) return;
      const data = /** @type {string | ArrayBuffer} */ (this.waiting.shift());
      if (data instanceof ArrayBuffer) this.passFrame(data);
      else this.passText(data);
    }
  }

  /** @param {ArrayBuffer} data */
  passFrame(data) {
    this.frames -= 1;
    let frame;
    try {
      frame = decodeFrame(data);
    } catch (error) {
      post({ id: this.id, is: "unreadable", reason: String(error) });
      return;
    }
    this.underway += 1;
    post({ id: this.id, is: "frame", frame }, buffersOf(frame));
  }

  /** @param {string} text */
  passText(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch (error) {
      post({ id: this.id, is: "unreadable", reason: String(error) });
      return;
    }
    if (message.type === "metric") this.passMetric(message);
    else {
      this.tellMetrics();
      post({ id: this.id, is: "message", message });
    }
  }

  /** @param {any} message */
  passMetric({ t, s, N, avg_exp, matches_n }) {
    this.metrics.push({ t, ...s, N, avg_exp, matches_n });
    if (this.metricsDue) return;
    this.metricsDue = true;
    setTimeout(() => this.tellMetrics(), METRICS_EVERY_MS);
  }

  tellMetrics() {
    this.metricsDue = false;
    if (!this.metrics.length) return;
    post({ id: this.id, is: "metrics", metrics: this.metrics });
    this.metrics = [];
  }
}

/** @param {object | string} message an object is said as JSON, words as they are */
function textOf(message) {
  return typeof message === "string" ? message : JSON.stringify(message);
}

/** @param {Frame} frame */
function buffersOf(frame) {
  /** @type {Set<ArrayBuffer>} */
  const buffers = new Set();
  for (const column of [...Object.values(frame.nodes), ...Object.values(frame.edges)]) {
    if (ArrayBuffer.isView(column)) buffers.add(/** @type {ArrayBuffer} */ (column.buffer));
  }
  return [...buffers];
}

/** @type {Map<number, Connection>} */
const connections = new Map();

/** @param {MessageEvent<Told>} event */
self.onmessage = ({ data: told }) => {
  const connection = connections.get(told.id);
  if (told.do === "open") {
    connections.set(told.id, new Connection(told.id, told.url, told.token));
  } else if (told.do === "close") {
    connection?.close();
    connections.delete(told.id);
  } else if (told.do === "say") {
    connection?.say(told.message);
  } else if (connection) {
    connection.underway = Math.max(0, connection.underway - 1);
    connection.passOn();
  }
};
