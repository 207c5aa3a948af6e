// @ts-check
/** For what changes with every frame and is read by people: a few times a second is enough. */

/**
 * Return a function that asks for `act`, which is done at most once in a while, the last time
 * always.
 * @param {number} pause milliseconds
 * @param {() => void} act
 * @returns {{ask: () => void, now: () => void, end: () => void}}
 */
export function paced(pause, act) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let last = Number.NEGATIVE_INFINITY;
  const end = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  const now = () => {
    end();
    last = performance.now();
    act();
  };
  const ask = () => {
    timer ??= setTimeout(now, Math.max(0, last + pause - performance.now()));
  };
  return { ask, now, end };
}
