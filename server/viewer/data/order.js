// @ts-check
/**
 * What comes live ascends by tick. Where it goes back, another run has begun on the same connection:
 * from then on it is held, until it is known of which run it is.
 */

/** @typedef {import("./worker.js").Answer} Answer */

/** More is not held; of more the oldest go. */
const MOST_HELD = 200;

export class Order {
  constructor() {
    /** @type {Answer[] | null} what is held; null while nothing has to be */
    this.held = null;
    this.frameT = Number.NEGATIVE_INFINITY;
    this.metricT = Number.NEGATIVE_INFINITY;
  }

  /**
   * Take what has come, or hold it. Of metrics that came together each part is to be taken by
   * itself (`parted`).
   * @param {Answer} answer
   * @returns {"taken" | "held" | "back"} back: the first one that is held
   */
  take(answer) {
    if (this.held) {
      this.held = [...this.held, answer].slice(-MOST_HELD);
      return "held";
    }
    if (this.#goesBack(answer)) {
      this.held = [answer];
      return "back";
    }
    if (answer.is === "frame") this.frameT = answer.frame.t;
    else if (answer.is === "metrics") this.metricT = answer.metrics[answer.metrics.length - 1].t;
    return "taken";
  }

  /**
   * Begin anew.
   * @returns {Answer[]} what was held
   */
  begin() {
    const held = this.held ?? [];
    this.held = null;
    this.frameT = Number.NEGATIVE_INFINITY;
    this.metricT = Number.NEGATIVE_INFINITY;
    return held;
  }

  /** @param {Answer} answer */
  #goesBack(answer) {
    if (answer.is === "frame") return answer.frame.t < this.frameT;
    return answer.is === "metrics" && answer.metrics[0].t < this.metricT;
  }
}

/**
 * Return what has come, in parts of one run each.
 * @param {Answer} answer
 * @returns {Answer[]}
 */
export function parted(answer) {
  if (answer.is !== "metrics") return [answer];
  const { metrics } = answer;
  const at = metrics.findIndex(({ t }, row) => row > 0 && t < metrics[row - 1].t);
  if (at < 0) return [answer];
  return [
    { ...answer, metrics: metrics.slice(0, at) },
    { ...answer, metrics: metrics.slice(at) },
  ];
}
