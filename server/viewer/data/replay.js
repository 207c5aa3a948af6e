// @ts-check
/**
 * A replay of the recording (`/ws/replay`): one frame at a tick, or frame after frame at a pace.
 *
 * Only what is wanted is passed on: after a seek nothing from before it (the camera marks the cut by
 * its answer), and while it stands still nothing but the one frame that was asked for.
 */

/** @typedef {import("../types.js").Frame} Frame */

const MOST_GAPS = 100;

/**
 * @typedef {object} ReplayListener
 * @property {(run: string, frame: Frame) => void} onFrame
 * @property {(run: string) => void} onEnd there is nothing more to show or to play
 * @property {(reason: string) => void} onError it cannot be shown, in the camera's words
 * @property {(run: string, tickRate: number) => void} onRate recorded pace, ticks a second
 */

export class Replay {
  /**
   * @param {object} parts
   * @param {string} [parts.name] of its connection
   * @param {import("./wires.js").Wires} parts.wires
   * @param {import("./server.js").Server} parts.server
   * @param {import("../state/observable.js").Observable<import("../types.js").Status>} parts.status
   * @param {ReplayListener} parts.listener
   */
  constructor({ name = "replay", wires, server, status, listener }) {
    this.name = name;
    this.wires = wires;
    this.server = server;
    this.status = status;
    this.listener = listener;
    /** @type {string | null} run of the connection; null: there is none */
    this.run = null;
    /** Seeks that are not answered yet: what comes now is from before the last. */
    this.seeks = 0;
    this.paused = true;
    this.wantsOne = false;
  }

  /**
   * Give the first frame of tick `t` or later, and stand still there.
   * @param {string} run
   * @param {number} t
   */
  show(run, t) {
    this.#connect(run);
    this.paused = true;
    this.wantsOne = true;
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
    this.wantsOne = false;
    this.seeks += 1;
    this.#say({ type: "pause" }, { type: "seek", t }, { type: "speed", speed }, { type: "play" });
  }

  /** @param {number} speed */
  setSpeed(speed) {
    this.#say({ type: "speed", speed });
  }

  /** Stop playing. A frame that was asked for still comes. */
  pause() {
    if (this.paused) return;
    this.paused = true;
    this.#say({ type: "pause" });
  }

  /** Do without the frame that was asked for. */
  forget() {
    this.wantsOne = false;
  }

  /** Leave the camera's place for a replay to others. */
  close() {
    this.wires.close(this.name);
    this.run = null;
    this.#wantNothing();
  }

  /** @param {string} run */
  #connect(run) {
    if (run === this.run) return;
    this.run = run;
    this.seeks = 0;
    const query = { run, kinds: "frame", encoding: "columns", speed: 1 };
    const url = this.server.socketAddress("ws/replay", query);
    this.wires.open(this.name, url, this.server.token, (answer) => this.#hear(run, answer));
  }

  /**
   * Say something on the connection, if there is one.
   * @param {object[]} messages
   */
  #say(...messages) {
    if (this.run === null) return;
    for (const message of messages) this.wires.say(this.name, message);
  }

  /** Whether what comes now is of what was asked for last, and still wanted. */
  #isWanted() {
    return this.seeks === 0 && (!this.paused || this.wantsOne);
  }

  #wantNothing() {
    this.paused = true;
    this.wantsOne = false;
  }

  /**
   * @param {string} run
   * @param {import("./worker.js").Answer} answer
   */
  #hear(run, answer) {
    if (answer.is === "frame") this.#takeFrame(run, answer.frame);
    else if (answer.is === "message") this.#takeMessage(run, answer.message);
    else if (answer.is === "unreadable") this.#takeError(answer.reason);
    else if (answer.is === "dropped") this.#takeDropped(answer.count);
    else if (answer.is === "closed") this.#closed(run, answer.code, answer.reason);
  }

  /**
   * @param {string} run
   * @param {Frame} frame
   */
  #takeFrame(run, frame) {
    if (!this.#isWanted()) return;
    this.wantsOne = false;
    this.listener.onFrame(run, frame);
  }

  /**
   * @param {string} run
   * @param {any} message
   */
  #takeMessage(run, message) {
    if (message.type === "seek") this.seeks = Math.max(0, this.seeks - 1);
    else if (message.type === "error") this.#takeError(message.message);
    else if (message.type === "gap") this.#takeGap(run, message);
    else if (message.type === "replay") this.#takeState(run, message);
  }

  /**
   * @param {string} run
   * @param {any} message
   */
  #takeState(run, { state, tick_rate: tickRate }) {
    this.listener.onRate(run, tickRate);
    if (state !== "ended" || !this.#isWanted()) return;
    this.#wantNothing();
    this.listener.onEnd(run);
  }

  /**
   * @param {string} run
   * @param {any} message
   */
  #takeGap(run, { kind, from_t, to_t, reason }) {
    const { gaps } = this.status.get();
    const isKnown = gaps.some((gap) => gap.run === run && gap.from_t === from_t);
    if (kind !== "frame" || isKnown || !this.#isWanted()) return;
    const gap = { kind: "frames", from_t, to_t, reason, run };
    this.status.set({ gaps: [...gaps, gap].slice(-MOST_GAPS) });
  }

  /** @param {number} count */
  #takeDropped(count) {
    this.status.set({ dropped: this.status.get().dropped + count });
  }

  /** @param {string} reason */
  #takeError(reason) {
    if (!this.#isWanted()) return;
    this.#wantNothing();
    this.listener.onError(reason);
  }

  /**
   * @param {string} run
   * @param {number} code
   * @param {string} reason
   */
  #closed(run, code, reason) {
    this.run = null;
    this.seeks = 0;
    if (this.#isWanted()) this.#tellWhy(run, reason || `closed with code ${code}`);
  }

  /**
   * A browser does not say why a handshake was refused; the same question over HTTP does.
   * @param {string} run
   * @param {string} reason
   */
  async #tellWhy(run, reason) {
    let told = reason;
    try {
      await this.server.json("events", { run, limit: 1 });
    } catch (error) {
      if (error instanceof Error) told = error.message;
    }
    // What has been asked for meanwhile is answered for itself.
    if (this.run === null) this.#takeError(told);
  }
}
