// @ts-check
/** Changes of the selection, the same from wherever they come. */

/** @typedef {import("../types.js").App} App */

/**
 * Select an agent alone, or with `adds` beside the others; one that is selected goes.
 * @param {App} app
 * @param {number} id
 * @param {boolean} adds
 */
export function selectAgent({ settings }, id, adds) {
  const { selection } = settings.get();
  if (!adds) settings.set({ selection: [id] });
  else if (selection.includes(id))
    settings.set({ selection: selection.filter((other) => other !== id) });
  else settings.set({ selection: [...selection, id] });
}
