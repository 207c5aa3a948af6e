// @ts-check
/**
 * The page's side of the worker that owns its connections (data/worker.js).
 *
 * A connection has a name, by which the page speaks of it, and a number, by which the worker does:
 * what an earlier one of the same name had still to say is heard by nobody.
 */

/** @typedef {import("./worker.js").Answer} Answer */
/** @typedef {import("./worker.js").Told} Told */

/** Close code of a connection that ended without saying why. */
const WITHOUT_A_WORD = 1006;

/** Who is told of what comes on a connection. */
export class Wires {
  /** @param {() => Worker} [startWorker] */
  constructor(startWorker = workerOfThePage) {
    this.startWorker = startWorker;
    /** @type {Map<string, number>} numbers by name */
    this.ids = new Map();
    /** @type {Map<number, (answer: Answer) => void>} */
    this.listeners = new Map();
    this.lastId = 0;
    /** @type {Worker | null} started before it is needed: the first picture waits for it */
    this.worker = this.#start();
  }

  /**
   * Open a connection, in place of the one of this name if there is one.
   * @param {string} name
   * @param {string} url
   * @param {string | null} token
   * @param {(answer: Answer) => void} listener
   */
  open(name, url, token, listener) {
    this.close(name);
    this.lastId += 1;
    this.ids.set(name, this.lastId);
    this.listeners.set(this.lastId, listener);
    this.#tell({ do: "open", id: this.lastId, url, token });
  }

  /**
   * Say something, as soon as the connection is open.
   * @param {string} name
   * @param {object | string} message an object is said as JSON, words as they are
   */
  say(name, message) {
    const id = this.ids.get(name);
    if (id !== undefined) this.#tell({ do: "say", id, message });
  }

  /** @param {string} name */
  close(name) {
    const id = this.ids.get(name);
    if (id === undefined) return;
    this.ids.delete(name);
    this.listeners.delete(id);
    this.#tell({ do: "close", id });
  }

  /** @param {Answer} answer */
  #hear(answer) {
    try {
      this.listeners.get(answer.id)?.(answer);
    } finally {
      // What is said of a frame is that the page has got to it, not that it has come.
      if (answer.is === "frame") this.#tell({ do: "taken", id: answer.id });
    }
  }

  /** @param {Told} told */
  #tell(told) {
    this.worker ??= this.#start();
    this.worker.postMessage(told);
  }

  #start() {
    const worker = this.startWorker();
    worker.onmessage = ({ data }) => this.#hear(data);
    worker.onerror = (event) => this.#lose(event.message || "the page's worker does not start");
    worker.onmessageerror = () => this.#lose("the page's worker cannot be understood");
    return worker;
  }

  /**
   * Take that the worker has failed: all its connections are closed, and the next is another one's.
   * @param {string} reason
   */
  #lose(reason) {
    this.worker?.terminate();
    this.worker = null;
    const lost = [...this.listeners];
    this.listeners.clear();
    this.ids.clear();
    for (const [id, listener] of lost) {
      listener({ id, is: "closed", code: WITHOUT_A_WORD, reason });
    }
  }
}

function workerOfThePage() {
  return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
}
