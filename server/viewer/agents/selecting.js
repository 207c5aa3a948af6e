// @ts-check
/** Changes of the selection, the same from wherever they come. */

import { select } from "../structure/selection.js";

/** @typedef {import("../types.js").App} App */

/**
 * Select an agent alone, or with `adds` beside the others; one that is selected goes.
 * @param {App} app
 * @param {number} id
 * @param {boolean} adds
 * @returns {string | null} what to tell the user, if there are too many
 */
export function selectAgent(app, id, adds) {
  const { selection } = app.settings.get();
  if (!adds) return select(app, [id]);
  const others = selection.filter((other) => other !== id);
  return select(app, others.length < selection.length ? others : [...others, id]);
}
