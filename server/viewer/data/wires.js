// @ts-check
/** The page's side of the worker that owns its connections (data/worker.js). */

/** @typedef {import("./worker.js").Answer} Answer */
/** @typedef {import("./worker.js").Told} Told */

/** Who is told of what comes on a connection. */
export class Wires {
  constructor() {
    this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    /** @type {Map<string, (answer: Answer) => void>} */
    this.listeners = new Map();
    this.worker.onmessage = ({ data }) => this.#hear(data);
  }

  /**
   * Open a connection, in place of the one of this name if there is one.
   * @param {string} name
   * @param {string} url
   * @param {string | null} token
   * @param {(answer: Answer) => void} listener
   */
  open(name, url, token, listener) {
    this.listeners.set(name, listener);
    this.#tell({ do: "open", name, url, token });
  }

  /**
   * @param {string} name
   * @param {object} message
   */
  say(name, message) {
    this.#tell({ do: "say", name, message });
  }

  /** @param {string} name */
  close(name) {
    this.listeners.delete(name);
    this.#tell({ do: "close", name });
  }

  /** @param {Answer} answer */
  #hear(answer) {
    this.listeners.get(answer.name)?.(answer);
    // What is said of a frame is that the page has got to it, not that it has come.
    if (answer.is === "frame") this.#tell({ do: "taken", name: answer.name });
  }

  /** @param {Told} told */
  #tell(told) {
    this.worker.postMessage(told);
  }
}
