// @ts-check
/** The live stream: connected again with growing pauses, and what it says of itself. */

import { Order, parted } from "./order.js";
import { Pace } from "./pace.js";
import { Pulse } from "./pulse.js";
import { TokenNeeded } from "./server.js";

/** @typedef {import("../types.js").Frame} Frame */
/** @typedef {import("../types.js").Hole} Hole */
/** @typedef {import("../types.js").Metric} Metric */
/** @typedef {import("../types.js").Status} Status */
/** @typedef {import("../state/observable.js").Observable<Status>} StatusValue */
/** @typedef {import("./worker.js").Answer} Answer */

const NAME = "live";
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
const HEALTH_EVERY_MS = 5_000;
/** The camera says something every 30 s, if only that it has nothing to say. */
const LONGEST_SILENCE_MS = 75_000;
/** After a sleep, or without a network, a connection is doubted sooner. */
const SILENCE_AFTER_AWAY_MS = 5_000;
const MOST_GAPS = 100;
/** What a gap is of, as the recording names it. */
const KINDS = /** @type {Record<string, string>} */ ({ metric: "metrics", frame: "frames" });
/** Close codes after which trying again is of no use before something was done about it. */
const REFUSED = new Set([1008]);

/** @returns {Status} */
export function initialStatus() {
  return {
    connection: "connecting",
    retryAt: null,
    reason: null,
    lastMessageAt: null,
    lastFrameAt: null,
    pace: null,
    unreadable: null,
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
 * Note that something was left out.
 * @param {StatusValue} status
 * @param {Hole} gap
 */
export function addGap(status, gap) {
  status.set({ gaps: [...status.get().gaps, gap].slice(-MOST_GAPS) });
}

/**
 * @typedef {object} LiveListener
 * @property {(run: string, frame: Frame) => void} onFrame
 * @property {(run: string, metrics: Metric[]) => void} onMetrics
 * @property {(run: string, gap: Hole) => void} onGap what was left out, of a kind of the recording
 * @property {(health: any) => void} onHealth what `/health` says, at every look
 * @property {() => void} onOpen it is connected, and something may have been missed before
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
    this.pauseMs = FIRST_PAUSE_MS;
    this.order = new Order();
    this.pace = new Pace();
    this.isAsking = false;
    this.wantsHealth = false;
    this.pulse = new Pulse(
      () => this.wires.say(NAME, "ping"),
      (reason) => this.#lose(reason),
    );
  }

  /** Connect, and stay connected. */
  start() {
    this.#connect();
    setInterval(() => {
      this.pulse.look(LONGEST_SILENCE_MS);
      this.#lookAtHealth();
    }, HEALTH_EVERY_MS);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.lookNow();
    });
    addEventListener("online", () => this.lookNow());
  }

  /** Try again now, if that is waited for; else see whether the connection has outlived the time. */
  lookNow() {
    this.pulse.look(SILENCE_AFTER_AWAY_MS);
    if (this.status.get().connection !== "reconnecting") return;
    this.pauseMs = FIRST_PAUSE_MS;
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
    this.pulse.begin();
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
    const wait = this.pauseMs * (0.75 + 0.5 * Math.random()); // so that many pages do not come at once
    this.pauseMs = Math.min(2 * this.pauseMs, LONGEST_PAUSE_MS);
    this.status.set({ connection: "reconnecting", reason, retryAt: performance.now() + wait });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#connect(), wait);
  }

  /** @param {Answer} answer */
  #hear(answer) {
    if (answer.is === "closed") this.#closed(answer.code, answer.reason);
    else if (answer.is === "open") this.#opened();
    else if (answer.is === "dropped") {
      this.status.set({ dropped: this.status.get().dropped + answer.count });
    } else {
      this.pulse.beat();
      this.status.set({ lastMessageAt: performance.now() });
      for (const part of parted(answer)) this.#pass(part);
    }
  }

  /** @param {Answer} answer */
  #pass(answer) {
    const place = this.order.take(answer);
    if (place === "taken") this.#take(answer);
    else if (place === "back") this.#lookAtHealth(); // it says of which run this is
  }

  #opened() {
    this.pauseMs = FIRST_PAUSE_MS;
    this.pulse.beat();
    this.order.begin();
    this.status.set({
      connection: "open",
      reason: null,
      retryAt: null,
      lastMessageAt: performance.now(),
      gaps: [],
      unreadable: null,
    });
    this.listener.onOpen();
  }

  /** @param {Answer} answer */
  #take(answer) {
    if (answer.is === "frame") this.#takeFrame(answer.frame);
    else if (answer.is === "metrics") this.#takeMetrics(answer.metrics);
    else if (answer.is === "message") this.#takeMessage(answer.message);
    else if (answer.is === "unreadable") {
      const count = (this.status.get().unreadable?.count ?? 0) + 1;
      this.status.set({ unreadable: { count, reason: answer.reason } });
    }
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #closed(code, reason) {
    this.pulse.end();
    if (REFUSED.has(code)) this.#failed(new TokenNeeded(reason));
    else this.#tryLater(reason || `closed with code ${code}`);
  }

  /** @param {string} reason */
  #lose(reason) {
    this.wires.close(NAME);
    this.#tryLater(reason);
  }

  /** @param {Frame} frame */
  #takeFrame(frame) {
    this.#sawTick(frame.t);
    this.status.set({ lastFrameAt: performance.now() });
    if (this.run !== null) this.listener.onFrame(this.run, frame);
  }

  /** @param {Metric[]} metrics */
  #takeMetrics(metrics) {
    this.#sawTick(metrics[metrics.length - 1].t);
    if (this.run !== null) this.listener.onMetrics(this.run, metrics);
  }

  /** @param {any} message */
  #takeMessage(message) {
    if (message.type === "heartbeat" && message.t !== null) this.status.set({ serverT: message.t });
    if (message.type === "gap") {
      const { kind, from_t, to_t, reason } = message;
      addGap(this.status, { kind, from_t, to_t, reason });
      const gap = { kind: KINDS[kind] ?? kind, from_t, to_t, reason };
      if (this.run !== null) this.listener.onGap(this.run, gap);
    }
  }

  /** @param {number} t */
  #sawTick(t) {
    this.status.set({ serverT: t, pace: this.pace.take(t, performance.now()) });
  }

  /** Ask how the camera is: once more, if that is asked for while an answer is on its way. */
  async #lookAtHealth() {
    if (this.status.get().connection !== "open") return;
    this.wantsHealth = true;
    if (this.isAsking) return;
    this.isAsking = true;
    try {
      while (this.wantsHealth) {
        this.wantsHealth = false;
        this.#takeHealth(await this.server.json("health"));
      }
      if (this.order.held) for (const answer of this.order.begin()) this.#pass(answer);
    } catch (error) {
      this.status.set({ degraded: [error instanceof Error ? error.message : String(error)] });
    } finally {
      this.isAsking = false;
    }
  }

  /** @param {any} health */
  #takeHealth(health) {
    if (health.run !== this.run) {
      this.pace = new Pace();
      this.status.set({ gaps: [], serverT: null, lastFrameAt: null, pace: null });
    }
    this.run = health.run;
    const records = health.recording ?? health.history; // an edge passes on what its camera has
    this.status.set({
      sourceRunning: health.meta.running,
      recordingOff: records ? null : (health.recorder?.error ?? "off"),
      degraded: (health.reasons ?? []).map(
        (/** @type {any} */ reason) => reason.message ?? reason.code ?? String(reason),
      ),
    });
    this.listener.onHealth(health);
  }
}
