// @ts-check
/** The clock that the director goes by; a test has one of its own. */

/**
 * @typedef {object} Timers
 * @property {() => number} now milliseconds that only grow
 * @property {(work: () => void, ms: number) => number} setTimeout
 * @property {(timer: number | undefined) => void} clearTimeout
 */

/** @type {Timers} */
export const TIMERS = {
  now: () => performance.now(),
  setTimeout: (work, ms) => self.setTimeout(work, ms),
  clearTimeout: (timer) => self.clearTimeout(timer),
};
