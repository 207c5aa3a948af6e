// @ts-check
/** The live stream: connected again with growing pauses, and what it says of itself. */

import { TokenNeeded } from "./server.js";

/** @typedef {import("../types.js").Frame} Frame */
/** @typedef {import("../types.js").Metric} Metric */
/** @typedef {import("../types.js").Status} Status */
/** @typedef {import("../state/observable.js").Observable<Status>} StatusValue */

const NAME = "live";
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
const HEALTH_EVERY_MS = 5_000;
const MOST_GAPS = 100;
/** Close codes after which trying again is of no use before something was done about it. */
const REFUSED = new Set([1008]);

/** @returns {Status} */
export function initialStatus() {
  return {
    connection: "connecting",
    retryAt: null,
    reason: null,
    lastMessageAt: null,
    serverT: null,
    dropped: 0,
    gaps: [],
    sourceRunning: true,
    recordingOff: null,
    degraded: [],
    replayError: null,
  };
}

/**
 * @typedef {object} LiveListener
 * @property {(run: string, frame: Frame) => void} onFrame
 * @property {(run: string, metrics: Metric[]) => void} onMetrics
 * @property {(health: any) => void} onHealth what `/health` says, at every look
 * @property {(wasWrong: boolean) => Promise<void>} onTokenNeeded the camera asks for a token, or for
 *   another one: resolves when there is one to try
 */

/** The live stream of the camera. */
export class Live {
  /**
   * @param {object} parts
   * @param {import("./wires.js").Wires} parts.wires
   * @param {import("./server.js").Server} parts.server
   * @param {StatusValue} parts.status
   * @param {LiveListener} parts.listener
   */
  constructor({ wires, server, status, listener }) {
    this.wires = wires;
    this.server = server;
    this.status = status;
    this.listener = listener;
    /** @type {string | null} */
    this.run = null;
    this.pause = FIRST_PAUSE_MS;
    this.lastT = Number.NEGATIVE_INFINITY;
    this.asking = false;
  }

  /** Connect, and stay connected. */
  start() {
    this.#connect();
    setInterval(() => this.#lookAtHealth(), HEALTH_EVERY_MS);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.retryNow();
    });
    addEventListener("online", () => this.retryNow());
  }

  /** Try again now, if that is waited for. */
  retryNow() {
    if (this.status.get().connection !== "reconnecting") return;
    this.pause = FIRST_PAUSE_MS;
    this.#connect();
  }

  async #connect() {
    clearTimeout(this.timer);
    this.status.set({ connection: "connecting", retryAt: null });
    try {
      this.#takeHealth(await this.server.json("health"));
    } catch (error) {
      await this.#failed(error);
      return;
    }
    const url = this.server.socketAddress("ws/stream", { encoding: "columns" });
    this.wires.open(NAME, url, this.server.token, (answer) => this.#hear(answer));
  }

  /** @param {unknown} error */
  async #failed(error) {
    if (!(error instanceof TokenNeeded)) {
      this.#tryLater(error instanceof Error ? error.message : String(error));
      return;
    }
    const wasWrong = this.server.token !== null;
    this.server.useToken(null);
    this.status.set({ connection: "refused", reason: error.message });
    await this.listener.onTokenNeeded(wasWrong);
    this.#connect();
  }

  /** @param {string} reason */
  #tryLater(reason) {
    const wait = this.pause * (0.75 + 0.5 * Math.random()); // so that many pages do not come at once
    this.pause = Math.min(2 * this.pause, LONGEST_PAUSE_MS);
    this.status.set({ connection: "reconnecting", reason, retryAt: performance.now() + wait });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#connect(), wait);
  }

  /** @param {import("./worker.js").Answer} answer */
  #hear(answer) {
    if (answer.is === "closed") {
      this.#closed(answer.code, answer.reason);
      return;
    }
    if (answer.is === "open") {
      this.pause = FIRST_PAUSE_MS;
      this.status.set({ connection: "open", reason: null, retryAt: null });
      return;
    }
    if (answer.is === "dropped") {
      this.status.set({ dropped: this.status.get().dropped + answer.count });
      return;
    }
    this.status.set({ lastMessageAt: performance.now() });
    if (answer.is === "frame") this.#takeFrame(answer.frame);
    else if (answer.is === "metrics") this.#takeMetrics(answer.metrics);
    else if (answer.is === "message") this.#takeMessage(answer.message);
    else this.status.set({ reason: answer.reason });
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #closed(code, reason) {
    if (REFUSED.has(code)) {
      this.#failed(new TokenNeeded(reason));
    } else this.#tryLater(reason || `closed with code ${code}`);
  }

  /** @param {Frame} frame */
  #takeFrame(frame) {
    this.#sawTick(frame.t);
    if (this.run !== null) this.listener.onFrame(this.run, frame);
  }

  /** @param {Metric[]} metrics */
  #takeMetrics(metrics) {
    this.#sawTick(/** @type {Metric} */ (metrics.at(-1)).t);
    if (this.run !== null) this.listener.onMetrics(this.run, metrics);
  }

  /** @param {any} message */
  #takeMessage(message) {
    if (message.type === "heartbeat" && message.t !== null) this.status.set({ serverT: message.t });
    if (message.type === "gap") {
      const { kind, from_t, to_t, reason } = message;
      const gaps = [...this.status.get().gaps, { kind, from_t, to_t, reason }].slice(-MOST_GAPS);
      this.status.set({ gaps });
    }
  }

  /**
   * Ticks go backwards where another run has begun on the same connection.
   * @param {number} t
   */
  #sawTick(t) {
    if (t < this.lastT - 1_000) this.#lookAtHealth();
    this.lastT = t;
    this.status.set({ serverT: t });
  }

  async #lookAtHealth() {
    if (this.asking || this.status.get().connection !== "open") return;
    this.asking = true;
    try {
      this.#takeHealth(await this.server.json("health"));
    } catch (error) {
      this.status.set({ degraded: [error instanceof Error ? error.message : String(error)] });
    } finally {
      this.asking = false;
    }
  }

  /** @param {any} health */
  #takeHealth(health) {
    if (health.run !== this.run) this.lastT = Number.NEGATIVE_INFINITY;
    this.run = health.run;
    this.status.set({
      sourceRunning: health.meta.running,
      recordingOff: health.recording ? null : (health.recorder?.error ?? "off"),
      degraded: (health.reasons ?? []).map(
        (/** @type {any} */ reason) => reason.message ?? reason.code ?? String(reason),
      ),
    });
    this.listener.onHealth(health);
  }
}
