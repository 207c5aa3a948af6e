// @ts-check
/**
 * The page's connections to the camera, in a thread of its own: it decodes what comes, so that the
 * page never waits for that.
 *
 * The page tells it (`Told`) to open and close connections by name, what to say on them, and how
 * many frames it has taken (`taken`). It answers (`Answer`). At most `UNDERWAY` frames are on their
 * way to the page at a time; of those that wait, the oldest are dropped before they are decoded,
 * and that is told: a page that cannot keep up shows the present, not the past.
 */

import { decodeFrame } from "../columns.js";

/** @typedef {import("../types.js").Frame} Frame */
/** @typedef {import("../types.js").Metric} Metric */

/**
 * @typedef {{do: "open", name: string, url: string, token: string | null}
 *   | {do: "say", name: string, message: object}
 *   | {do: "close", name: string}
 *   | {do: "taken", name: string}} Told
 */

/**
 * @typedef {{name: string, is: "open"}
 *   | {name: string, is: "closed", code: number, reason: string}
 *   | {name: string, is: "frame", frame: Frame}
 *   | {name: string, is: "metrics", metrics: Metric[]}
 *   | {name: string, is: "message", message: any}
 *   | {name: string, is: "dropped", fromT: number | null, count: number}
 *   | {name: string, is: "unreadable", reason: string}} Answer
 */

const UNDERWAY = 2;
const MOST_WAITING = 6;
const METRICS_EVERY_MS = 40;

const post = /** @type {(answer: Answer, transfer?: Transferable[]) => void} */ (
  /** @type {unknown} */ (self.postMessage.bind(self))
);

/** One connection, and what has come on it and is not passed on yet. */
class Connection {
  /**
   * @param {string} name
   * @param {string} url
   * @param {string | null} token
   */
  constructor(name, url, token) {
    this.name = name;
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
      if (token !== null) this.say({ type: "auth", token });
      post({ name, is: "open" });
    };
    this.socket.onmessage = ({ data }) => this.take(data);
    this.socket.onclose = ({ code, reason }) => this.end(code, reason);
  }

  /** @param {object} message */
  say(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** End it from here; nothing is told of it any more. */
  close() {
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
    this.socket.close();
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  end(code, reason) {
    this.waiting = [];
    this.tellMetrics();
    post({ name: this.name, is: "closed", code, reason });
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
    post({ name: this.name, is: "dropped", fromT: null, count: 1 });
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
      post({ name: this.name, is: "unreadable", reason: String(error) });
      return;
    }
    this.underway += 1;
    post({ name: this.name, is: "frame", frame }, buffersOf(frame));
  }

  /** @param {string} text */
  passText(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch (error) {
      post({ name: this.name, is: "unreadable", reason: String(error) });
      return;
    }
    if (message.type === "metric") this.passMetric(message);
    else {
      this.tellMetrics();
      post({ name: this.name, is: "message", message });
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
    post({ name: this.name, is: "metrics", metrics: this.metrics });
    this.metrics = [];
  }
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

/** @type {Map<string, Connection>} */
const connections = new Map();

/** @param {MessageEvent<Told>} event */
self.onmessage = ({ data: told }) => {
  const connection = connections.get(told.name);
  if (told.do === "open") {
    connection?.close();
    connections.set(told.name, new Connection(told.name, told.url, told.token));
  } else if (told.do === "close") {
    connection?.close();
    connections.delete(told.name);
  } else if (told.do === "say") {
    connection?.say(told.message);
  } else if (connection) {
    connection.underway = Math.max(0, connection.underway - 1);
    connection.passOn();
  }
};
