// @ts-check
/** Begins and ends the comparison of two moments, and says what is compared. */

import { markForComparison } from "../people/comparing.js";
import { element } from "../people/elements.js";
import { comparedFrame } from "./compared.js";

/** @typedef {import("../types.js").App} App */

/**
 * @param {HTMLElement} root
 * @param {App} app
 */
export function createComparison(root, app) {
  const words = element("span", { className: "soft" });
  const mark = element("button", { type: "button" });
  const seek = element("button", { type: "button" });
  root.append(words, seek, mark);
  const { text, settings, director } = app;
  mark.addEventListener("click", () => {
    if (settings.get().compare) settings.set({ compare: null });
    else markForComparison(app);
  });
  seek.addEventListener("click", () => {
    const { compare } = settings.get();
    if (compare) director.seek(compare.run, compare.t);
  });
  const update = () => {
    const { compare } = settings.get();
    const isHeld = comparedFrame(app) !== null;
    mark.textContent = text.t(compare ? "compareEnd" : "compareMark");
    words.textContent = compare
      ? text.t(isHeld ? "comparing" : "compareGone", { t: compare.t })
      : "";
    seek.hidden = !compare || isHeld;
    seek.textContent = text.t("compareSeek");
  };
  const ends = [
    settings.followFields(["compare", "language"], update),
    app.moment.follow((now, before) => {
      if (now?.jump || !before) update();
    }),
  ];
  return {
    dispose() {
      for (const end of ends) end();
    },
  };
}
