// @ts-check
/**
 * A replay of the recording (`/ws/replay`): one frame at a tick, or frame after frame at a pace.
 *
 * After a seek nothing from before it is passed on: the camera marks the cut by its answer.
 */

import { TokenNeeded } from "./server.js";

/** @typedef {import("../types.js").Frame} Frame */

const NAME = "replay";

/**
 * @typedef {object} ReplayListener
 * @property {(run: string, frame: Frame) => void} onFrame
 * @property {(run: string) => void} onEnd there is nothing more to play
 * @property {(reason: string) => void} onError it cannot be shown, in the camera's words
 */

export class Replay {
  /**
   * @param {object} parts
   * @param {import("./wires.js").Wires} parts.wires
   * @param {import("./server.js").Server} parts.server
   * @param {ReplayListener} parts.listener
   */
  constructor({ wires, server, listener }) {
    this.wires = wires;
    this.server = server;
    this.listener = listener;
    /** @type {string | null} run of the connection; null: there is none */
    this.run = null;
    this.isOpen = false;
    this.seeks = 0;
    this.paused = true;
    /** @type {object[]} what is to be said as soon as the connection is open */
    this.unsaid = [];
  }

  /**
   * Give the first frame of tick `t` or later, and stand still there.
   * @param {string} run
   * @param {number} t
   */
  show(run, t) {
    this.#connect(run);
    this.paused = true;
    this.seeks += 1;
    this.#say({ type: "pause" }, { type: "seek", t }, { type: "step" });
  }

  /**
   * Give frame after frame from tick `t` on.
   * @param {string} run
   * @param {number} t
   * @param {number} speed times the recorded pace
   */
  play(run, t, speed) {
    this.#connect(run);
    this.paused = false;
    this.seeks += 1;
    this.#say({ type: "pause" }, { type: "seek", t }, { type: "speed", speed }, { type: "play" });
  }

  /** @param {number} speed */
  setSpeed(speed) {
    if (this.run !== null) this.#say({ type: "speed", speed });
  }

  pause() {
    if (this.run === null || this.paused) return;
    this.paused = true;
    this.#say({ type: "pause" });
  }

  /** Leave the camera's place for a replay to others. */
  close() {
    this.wires.close(NAME);
    this.run = null;
    this.isOpen = false;
  }

  /** @param {string} run */
  #connect(run) {
    if (run === this.run) return;
    this.run = run;
    this.isOpen = false;
    this.seeks = 0;
    this.unsaid = [];
    const query = { run, kinds: "frame", encoding: "columns", speed: 1 };
    const url = this.server.socketAddress("ws/replay", query);
    this.wires.open(NAME, url, this.server.token, (answer) => this.#hear(run, answer));
  }

  /** @param {object[]} messages */
  #say(...messages) {
    if (!this.isOpen) this.unsaid.push(...messages);
    else for (const message of messages) this.wires.say(NAME, message);
  }

  /**
   * @param {string} run
   * @param {import("./worker.js").Answer} answer
   */
  #hear(run, answer) {
    if (answer.is === "open") {
      this.isOpen = true;
      this.#say(...this.unsaid.splice(0));
    } else if (answer.is === "closed") {
      this.#closed(answer.code, answer.reason);
    } else if (answer.is === "frame") {
      if (this.seeks === 0) this.listener.onFrame(run, answer.frame);
    } else if (answer.is === "unreadable") {
      this.listener.onError(answer.reason);
    } else if (answer.is === "message") {
      this.#takeMessage(run, answer.message);
    }
  }

  /**
   * @param {string} run
   * @param {any} message
   */
  #takeMessage(run, message) {
    if (message.type === "seek") this.seeks = Math.max(0, this.seeks - 1);
    else if (message.type === "error") {
      this.seeks = 0;
      this.listener.onError(message.message);
    } else if (message.type === "replay" && message.state === "ended" && this.seeks === 0) {
      this.listener.onEnd(run);
    }
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #closed(code, reason) {
    const run = this.run;
    const wanted = this.seeks > 0 || !this.paused;
    this.run = null;
    this.isOpen = false;
    if (wanted && run !== null) this.#tellWhy(run, reason || `closed with code ${code}`);
  }

  /**
   * A browser does not say why a handshake was refused; the same question over HTTP does.
   * @param {string} run
   * @param {string} reason
   */
  async #tellWhy(run, reason) {
    try {
      await this.server.json("events", { run, limit: 1 });
      this.listener.onError(reason);
    } catch (error) {
      const told = error instanceof TokenNeeded || error instanceof Error ? error.message : reason;
      this.listener.onError(told);
    }
  }
}
