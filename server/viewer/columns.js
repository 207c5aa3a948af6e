// @ts-check
/**
 * Frames as columns: the decoder of `/ws/stream?encoding=columns`.
 *
 * The layout is described in docs/columns.md. An ES module without dependencies:
 *
 *     import { decodeFrame, nodeObject } from "/viewer/columns.js";
 *     const stream = new WebSocket("ws://127.0.0.1:8000/ws/stream?encoding=columns");
 *     stream.binaryType = "arraybuffer";
 *     stream.onmessage = ({ data }) => {
 *       if (typeof data === "string") return;         // metric, heartbeat, gap: JSON
 *       const frame = decodeFrame(data);
 *       console.log(frame.t, frame.nodes.quote_price_mean, nodeObject(frame, 0));
 *     };
 */

/** @typedef {Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float64Array} Column */
/** @typedef {{t: number, value: number, score: number}} Outlier */
/** @typedef {{name: string, dtype: string, offset: number, per?: number, null?: number, values?: string[]}} Entry */

/**
 * The nodes by ascending agent id, one array a feature; figures are NaN where JSON has null.
 * `dominant_side` holds indexes into `sides`.
 * @typedef {object} Nodes
 * @property {number} count
 * @property {Column} agent_id
 * @property {Column} buy_count
 * @property {Column} sell_count
 * @property {Column} none_count
 * @property {Column} match_count
 * @property {Float64Array} match_rate
 * @property {Float64Array} quote_price_mean
 * @property {Float64Array} quote_price_std
 * @property {Float64Array} quote_dist_to_mid_mean
 * @property {Float64Array} experience_start
 * @property {Float64Array} experience_end
 * @property {Float64Array} experience_delta
 * @property {Column} dominant_side
 * @property {string[]} sides
 */

/**
 * The edges in their order; `src` and `dst` are rows of the nodes, `type` holds indexes into
 * `types`.
 * @typedef {object} Edges
 * @property {number} count
 * @property {Column} src
 * @property {Column} dst
 * @property {Column} type
 * @property {Float64Array} w
 * @property {string[]} types
 */

/**
 * @typedef {object} Frame
 * @property {"frame"} type
 * @property {number} t
 * @property {{W: number, t0: number, t1: number, stride: number}} window
 * @property {Nodes} nodes
 * @property {Edges} edges
 * @property {{bursts: Outlier[], shocks: Outlier[]}} events
 */

const VERSION = 1;
const PREFIX_BYTES = 8;
const ALIGNMENT = 8;

const TYPES = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float64: Float64Array,
};

/** @type {Record<string, number>} The largest number of the types without negative ones. */
const LARGEST = { uint8: 2 ** 8 - 1, uint16: 2 ** 16 - 1, uint32: 2 ** 32 - 1 };

const COUNTS = ["buy_count", "sell_count", "none_count", "match_count"];
const FIGURES = [
  "match_rate",
  "quote_price_mean",
  "quote_price_std",
  "quote_dist_to_mid_mean",
  "experience_start",
  "experience_end",
  "experience_delta",
];

/** A message is no frame as columns: cut short, of another form or version, or damaged. */
export class ColumnsError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "ColumnsError";
  }
}

/**
 * Decode a binary message of the stream. Columns that need no arithmetic are views of the buffer.
 *
 * Columns and header fields of other names are skipped.
 *
 * @param {ArrayBuffer} buffer
 * @returns {Frame}
 * @throws {ColumnsError} it is cut short, of another form or version, or damaged
 */
export function decodeFrame(buffer) {
  const [header, begin] = readHeader(buffer);
  const size = whole(header, "bytes", 0, Number.MAX_SAFE_INTEGER);
  if (buffer.byteLength - begin !== size) {
    throw new ColumnsError(
      `${size} bytes of columns announced, ${buffer.byteLength - begin} are there`,
    );
  }
  const columns = new Columns(buffer, begin);
  const t = whole(header, "t");
  const window = readWindow(object(header, "window"), t);
  const nodes = readNodes(columns, object(header, "nodes"));
  const edges = readEdges(columns, object(header, "edges"), nodes.count);
  const events = object(header, "events");
  return {
    type: "frame",
    t,
    window,
    nodes,
    edges,
    events: { bursts: outliers(events, "bursts"), shocks: outliers(events, "shocks") },
  };
}

/**
 * Return a node as it stands in the JSON message.
 * @param {Frame} frame
 * @param {number} row
 */
export function nodeObject(frame, row) {
  const { nodes, window } = frame;
  inside("node", row, nodes.count);
  return {
    node_id: nodeName(frame, row),
    agent_id: nodes.agent_id[row],
    t0: window.t0,
    t1: window.t1,
    features: {
      buy_count: nodes.buy_count[row],
      sell_count: nodes.sell_count[row],
      none_count: nodes.none_count[row],
      match_count: nodes.match_count[row],
      match_rate: figure(nodes.match_rate, row),
      quote_price_mean: figure(nodes.quote_price_mean, row),
      quote_price_std: figure(nodes.quote_price_std, row),
      quote_dist_to_mid_mean: figure(nodes.quote_dist_to_mid_mean, row),
      experience_start: figure(nodes.experience_start, row),
      experience_end: figure(nodes.experience_end, row),
      experience_delta: figure(nodes.experience_delta, row),
      dominant_side: nodes.sides[nodes.dominant_side[row]],
    },
  };
}

/**
 * Return an edge as it stands in the JSON message.
 * @param {Frame} frame
 * @param {number} row
 */
export function edgeObject(frame, row) {
  const { edges } = frame;
  inside("edge", row, edges.count);
  return {
    src: nodeName(frame, edges.src[row]),
    dst: nodeName(frame, edges.dst[row]),
    type: edges.types[edges.type[row]],
    w: figure(edges.w, row),
  };
}

/**
 * Return the whole JSON message.
 * @param {Frame} frame
 */
export function frameObject(frame) {
  const { type, t, window, nodes, edges, events } = frame;
  return {
    type,
    t,
    window,
    nodes: Array.from({ length: nodes.count }, (_, row) => nodeObject(frame, row)),
    edges: Array.from({ length: edges.count }, (_, row) => edgeObject(frame, row)),
    events,
  };
}

/**
 * @param {Frame} frame
 * @param {number} row
 */
function nodeName(frame, row) {
  return `agent:${frame.nodes.agent_id[row]}@t:${frame.window.t0}-${frame.window.t1}`;
}

/**
 * @param {Float64Array} column
 * @param {number} row
 */
function figure(column, row) {
  return Number.isNaN(column[row]) ? null : column[row];
}

/**
 * @param {string} what
 * @param {number} row
 * @param {number} count
 */
function inside(what, row, count) {
  if (!Number.isInteger(row) || row < 0 || row >= count) {
    throw new RangeError(`${what} ${row} of ${count}`);
  }
}

// ---- the header ---------------------------------------------------------------------------------

/**
 * Return the header and where the columns begin.
 * @param {ArrayBuffer} buffer
 * @returns {[Record<string, unknown>, number]}
 */
function readHeader(buffer) {
  if (!(buffer instanceof ArrayBuffer)) {
    throw new ColumnsError("decodeFrame takes an ArrayBuffer: set binaryType to 'arraybuffer'");
  }
  const length = buffer.byteLength;
  if (length < PREFIX_BYTES) {
    throw new ColumnsError(`${length} bytes are no frame as columns, the prefix has 8`);
  }
  const [m, c, d, version] = new Uint8Array(buffer, 0, 4);
  if (m !== 0x4d || c !== 0x43 || d !== 0x43) {
    throw new ColumnsError("not a frame as columns: it does not begin with 'MCC'");
  }
  if (version !== VERSION) {
    throw new ColumnsError(`version ${version} of the columns, this decoder reads ${VERSION}`);
  }
  const begin = PREFIX_BYTES + new DataView(buffer).getUint32(4, true);
  if (begin > length || begin % ALIGNMENT) {
    throw new ColumnsError(
      `the header must end at a multiple of ${ALIGNMENT} within the message's ` +
        `${length} bytes, not at ${begin}`,
    );
  }
  return [parseHeader(new Uint8Array(buffer, PREFIX_BYTES, begin - PREFIX_BYTES)), begin];
}

/** @param {Uint8Array} bytes */
function parseHeader(bytes) {
  let header;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new ColumnsError(`the header is no JSON: ${error}`);
  }
  if (!isObject(header) || header.type !== "frame") {
    throw new ColumnsError("the header must be an object of type 'frame'");
  }
  return header;
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * @param {Record<string, unknown>} owner
 * @param {string} name
 */
function object(owner, name) {
  const value = owner[name];
  if (!isObject(value)) throw wrong(name, "an object", value);
  return value;
}

/**
 * @param {Record<string, unknown>} owner
 * @param {string} name
 * @returns {unknown[]}
 */
function list(owner, name) {
  const value = owner[name];
  if (!Array.isArray(value)) throw wrong(name, "a list", value);
  return value;
}

/**
 * @param {Record<string, unknown>} owner
 * @param {string} name
 * @param {number} [least]
 * @param {number} [most]
 */
function whole(owner, name, least = Number.MIN_SAFE_INTEGER, most = Number.MAX_SAFE_INTEGER) {
  const value = owner[name];
  if (typeof value !== "number" || !Number.isInteger(value)) {
    throw wrong(name, "a whole number", value);
  }
  if (value < least || value > most) {
    throw new ColumnsError(`${name} must be within ${least} to ${most}, got ${value}`);
  }
  return value;
}

/**
 * @param {string} name
 * @param {string} kind
 * @param {unknown} value
 */
function wrong(name, kind, value) {
  return new ColumnsError(
    `${name} must be ${kind}, got ${String(JSON.stringify(value)).slice(0, 80)}`,
  );
}

/**
 * @param {Record<string, unknown>} window
 * @param {number} t
 */
function readWindow(window, t) {
  const W = whole(window, "W", 1, 65535);
  return {
    W,
    t0: whole(window, "t0", t - W + 1, t - W + 1),
    t1: whole(window, "t1", t, t),
    stride: whole(window, "stride", 1),
  };
}

/**
 * @param {Record<string, unknown>} events
 * @param {string} name
 * @returns {Outlier[]}
 */
function outliers(events, name) {
  return list(events, name).map((item) => {
    if (!isObject(item)) throw wrong(name, "a list of objects", item);
    const { t, value, score } = item;
    if (typeof t !== "number" || typeof value !== "number" || typeof score !== "number") {
      throw wrong(name, "a list of t, value and score", item);
    }
    return { t, value, score };
  });
}

// ---- the columns --------------------------------------------------------------------------------

/** Reads columns out of the message, each beyond the one before. */
class Columns {
  /**
   * @param {ArrayBuffer} buffer
   * @param {number} begin
   */
  constructor(buffer, begin) {
    this.buffer = buffer;
    this.begin = begin;
    this.end = 0;
  }

  /**
   * Return a column as it is stored, a view of the message.
   * @param {Entry} entry
   * @param {number} count
   * @returns {Column}
   */
  read(entry, count) {
    const { name, dtype } = entry;
    if (typeof dtype !== "string" || !Object.hasOwn(TYPES, dtype)) {
      throw new ColumnsError(`${name}: unknown dtype ${String(dtype).slice(0, 80)}`);
    }
    const Type = TYPES[/** @type {keyof typeof TYPES} */ (dtype)];
    const offset = whole(/** @type {any} */ (entry), "offset", this.end);
    const room = this.buffer.byteLength - this.begin;
    this.end = offset + count * Type.BYTES_PER_ELEMENT;
    if (offset % ALIGNMENT || this.end > room) {
      throw new ColumnsError(
        `${name}: offset ${offset} must be a multiple of ${ALIGNMENT} with ${count} values ` +
          `behind it in the ${room} bytes of columns`,
      );
    }
    return new Type(this.buffer, this.begin + offset, count);
  }
}

/**
 * Return the entries of the columns that are read here, in the order of the header.
 * @param {Record<string, unknown>} table
 * @param {string[]} names
 * @returns {Entry[]}
 */
function entries(table, names) {
  const seen = new Set();
  const wanted = /** @type {Entry[]} */ ([]);
  for (const entry of list(table, "columns")) {
    if (!isObject(entry)) throw wrong("a column", "an object", entry);
    if (typeof entry.name !== "string") throw wrong("name", "a text", entry.name);
    if (seen.has(entry.name)) throw new ColumnsError(`${entry.name} is listed twice`);
    seen.add(entry.name);
    if (names.includes(entry.name)) wanted.push(/** @type {any} */ (entry));
  }
  const missing = names.filter((name) => !seen.has(name));
  if (missing.length) throw new ColumnsError(`columns are missing: ${missing.join(", ")}`);
  return wanted;
}

/**
 * @param {Columns} columns
 * @param {Record<string, unknown>} table
 * @returns {Nodes}
 */
function readNodes(columns, table) {
  const count = whole(table, "count", 0);
  const nodes = /** @type {any} */ ({ count });
  for (const entry of entries(table, ["agent_id", ...COUNTS, ...FIGURES, "dominant_side"])) {
    const stored = columns.read(entry, count);
    if (FIGURES.includes(entry.name)) {
      nodes[entry.name] = figures(entry, stored);
    } else if (entry.name === "dominant_side") {
      nodes.dominant_side = stored;
      nodes.sides = meanings(entry, stored);
    } else {
      const most = entry.name === "agent_id" ? Number.MAX_SAFE_INTEGER : 2 ** 31 - 1;
      nodes[entry.name] = upTo(most, entry, stored);
    }
  }
  return nodes;
}

/**
 * @param {Columns} columns
 * @param {Record<string, unknown>} table
 * @param {number} nodes
 * @returns {Edges}
 */
function readEdges(columns, table, nodes) {
  const count = whole(table, "count", 0);
  const edges = /** @type {any} */ ({ count });
  for (const entry of entries(table, ["src", "dst", "type", "w"])) {
    const stored = columns.read(entry, count);
    if (entry.name === "w") {
      edges.w = figures(entry, stored);
    } else if (entry.name === "type") {
      edges.type = stored;
      edges.types = meanings(entry, stored);
    } else {
      edges[entry.name] = upTo(nodes - 1, entry, stored);
    }
  }
  return edges;
}

/**
 * Return the column if all of it are whole numbers from 0 to a limit.
 * @param {number} most
 * @param {Entry} entry
 * @param {Column} stored
 */
function upTo(most, entry, stored) {
  if ((LARGEST[entry.dtype] ?? Infinity) <= most) return stored;
  for (let row = 0; row < stored.length; row++) {
    const value = stored[row];
    if (!(value >= 0 && value <= most && Number.isInteger(value))) {
      throw new ColumnsError(`${entry.name} must be a whole number of 0 to ${most}, got ${value}`);
    }
  }
  return stored;
}

/**
 * Return the figures: what is stored over `per`, NaN for null.
 * @param {Entry} entry
 * @param {Column} stored
 * @returns {Float64Array}
 */
function figures(entry, stored) {
  if (stored instanceof Float64Array) return stored;
  const per = whole(/** @type {any} */ (entry), "per", 1);
  // Converted as a whole first: a loop over arrays of one type is compiled better than over many.
  const result = new Float64Array(stored);
  if (entry.null !== undefined) {
    const missing = whole(/** @type {any} */ (entry), "null");
    for (let row = 0; row < result.length; row++) {
      if (result[row] === missing) result[row] = NaN;
    }
  }
  for (let row = 0; row < result.length; row++) result[row] /= per;
  return result;
}

/**
 * Return what the codes of a column stand for.
 * @param {Entry} entry
 * @param {Column} stored
 * @returns {string[]}
 */
function meanings(entry, stored) {
  const values = list(/** @type {any} */ (entry), "values");
  for (const value of values) {
    if (typeof value !== "string") throw wrong(`${entry.name}: values`, "texts", value);
  }
  upTo(values.length - 1, entry, stored);
  return /** @type {string[]} */ (values);
}
