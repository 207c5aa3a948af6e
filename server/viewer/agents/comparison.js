// @ts-check
/** Begins and ends the comparison of two moments, and says what is compared. */

import { markForComparison } from "../people/comparing.js";
import { element } from "../people/elements.js";

/** @typedef {import("../types.js").App} App */

/** Words of each state. */
const SAID = Object.freeze({
  none: "compareNone",
  fetching: "compareFetching",
  held: "comparing",
  missing: "compareMissing",
  failed: "compareFailed",
});

/**
 * @param {HTMLElement} root
 * @param {App} app
 */
export function createComparison(root, app) {
  const words = element("span", { className: "soft", role: "status" });
  const mark = element("button", { type: "button" });
  const again = element("button", { type: "button", "data-text": "compareAgain" });
  root.append(words, again, mark);
  const { text, settings } = app;
  mark.addEventListener("click", () => {
    if (settings.get().compare) settings.set({ compare: null });
    else markForComparison(app);
  });
  again.addEventListener("click", () => {
    const { compare } = settings.get();
    if (compare) settings.set({ compare: { ...compare } }); // chosen anew, it is fetched anew
  });
  const update = () => {
    const { compare } = settings.get();
    const { state, reason } = app.compared.get();
    mark.textContent = text.t(compare ? "compareEnd" : "compareMark");
    words.textContent = text.t(SAID[state], { t: compare?.t ?? 0, reason: reason ?? "" });
    again.hidden = state !== "missing" && state !== "failed";
    again.textContent = text.t("compareAgain");
  };
  const ends = [
    settings.followFields(["compare", "language"], update),
    app.compared.follow(update),
  ];
  return {
    dispose() {
      for (const end of ends) end();
    },
  };
}
