// @ts-check
/** Whom the user has selected. The address of the page carries it, so it has a limit. */

import { MOST_SELECTED } from "../state/settings.js";

/**
 * Select agents; of too many the first are taken.
 * @param {import("../types.js").App} app
 * @param {number[]} agents
 * @returns {string | null} what to tell the user, if not all were taken
 */
export function select({ settings, text }, agents) {
  settings.set({ selection: agents.slice(0, MOST_SELECTED) });
  if (agents.length <= MOST_SELECTED) return null;
  return text.t("selectedMost", { most: MOST_SELECTED, found: agents.length });
}
