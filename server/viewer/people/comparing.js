// @ts-check
/** Marks the moment that later ones are compared with. */

/** @typedef {import("../types.js").App} App */

/**
 * Compare with the moment that is shown; or with none, if it is compared with this one already.
 * @param {App} app
 */
export function markForComparison({ settings, moment }) {
  const shown = moment.get();
  const { compare } = settings.get();
  if (!shown) return;
  const isMarked = compare !== null && compare.run === shown.run && compare.t === shown.t;
  settings.set({ compare: isMarked ? null : { run: shown.run, t: shown.t } });
}
