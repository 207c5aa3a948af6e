// @ts-check
/**
 * The frame that the one shown is compared with: held for as long as it is chosen, and fetched once
 * if the page has not got it.
 */

/** @typedef {import("../types.js").Compared} Compared */
/** @typedef {import("../types.js").Frame} Frame */
/** @typedef {import("../types.js").Settings} Settings */
/** @typedef {import("./replay.js").Replay} Replay */
/** @typedef {import("./replay.js").ReplayListener} ReplayListener */
/**
 * @template T
 * @typedef {import("../state/observable.js").Observable<T>} Observable
 */

/** The camera says nothing of a tick that is still to come: it is not waited for. */
const PATIENCE_MS = 10_000;

/** @returns {Compared} */
export function initialCompared() {
  return { state: "none", frame: null, reason: null };
}

export class Comparison {
  /**
   * @param {object} parts
   * @param {Observable<Settings>} parts.settings
   * @param {Observable<import("../types.js").Recording>} parts.recording
   * @param {Observable<Compared>} parts.compared
   * @param {import("./moments.js").Moments} parts.moments
   * @param {(listener: ReplayListener) => Replay} makeReplay
   */
  constructor({ settings, recording, compared, moments }, makeReplay) {
    this.settings = settings;
    this.recording = recording;
    this.compared = compared;
    this.moments = moments;
    this.replay = makeReplay({
      onFrame: (_, frame) => this.#takeFrame(frame),
      onEnd: () => this.#miss(),
      onError: (reason) => this.#tell({ state: "failed", frame: null, reason }),
      onRate: () => undefined,
    });
    /** @type {ReturnType<typeof setTimeout> | undefined} while it is asked for */
    this.timer = undefined;
    settings.followFields(["compare"], () => this.#begin());
    recording.followFields(["loaded", "error"], () => this.#ask());
  }

  #begin() {
    const { compare } = this.settings.get();
    const frame = compare && this.moments.at(compare.run, compare.t);
    if (!compare) this.#tell(initialCompared());
    else if (frame) this.#tell({ state: "held", frame, reason: null });
    else {
      this.#tell({ state: "fetching", frame: null, reason: null });
      this.#ask();
    }
  }

  /** Ask the camera, once it is known that it answers. */
  #ask() {
    const { compare } = this.settings.get();
    const { loaded, error } = this.recording.get();
    if (this.compared.get().state !== "fetching" || this.timer !== undefined) return;
    if (!compare || !loaded || error !== null) return;
    this.timer = setTimeout(() => this.#miss(), PATIENCE_MS);
    this.replay.show(compare.run, compare.t);
  }

  /** @param {Frame} frame the first one at the tick or later */
  #takeFrame(frame) {
    if (frame.t === this.settings.get().compare?.t) {
      this.#tell({ state: "held", frame, reason: null });
    } else this.#miss();
  }

  #miss() {
    this.#tell({ state: "missing", frame: null, reason: null });
  }

  /** @param {Compared} compared */
  #tell(compared) {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.replay.close(); // the camera has few places, and no more is asked
    this.compared.set(compared);
  }
}
