// @ts-check
/** The side panel: how the structure is drawn, and what of it. */

import { createFilterForm } from "./filterform.js";
import { createPictureForm } from "./pictureform.js";
import { createRangeForm } from "./rangeform.js";
import { createSearch } from "./search.js";

/** @typedef {import("../types.js").App} App */

/**
 * Show the controls of the structure.
 * @param {HTMLElement} root
 * @param {App} app
 * @returns {{dispose: () => void}}
 */
export function createControls(root, app) {
  const parts = [createSearch, createPictureForm, createFilterForm, createRangeForm].map((create) =>
    create(app),
  );
  root.append(...parts.map(({ element }) => element));
  const endWords = app.text.keep(root);
  return {
    dispose() {
      endWords();
      for (const part of parts) part.dispose();
      root.replaceChildren();
    },
  };
}
