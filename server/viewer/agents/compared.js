// @ts-check
/** The frame that the present one is compared with, if the page holds it. */

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").Frame} Frame */

/**
 * @param {App} app
 * @returns {Frame | null}
 */
export function comparedFrame({ settings, moments }) {
  const { compare } = settings.get();
  return compare && moments.at(compare.run, compare.t);
}
