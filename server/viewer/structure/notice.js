// @ts-check
/** Says above the plot why nothing, or not what was asked for, is to be seen. */

import { element as make, say } from "../people/elements.js";

/** A line that is there only when there is something to say. */
export class Notice {
  /** @param {import("../types.js").App} app */
  constructor(app) {
    this.app = app;
    this.element = make("p", { className: "notice", role: "status", hidden: true });
    /** @type {string | null} drawing fails */
    this.trouble = null;
    /** @type {string | null} of the selection made last */
    this.remark = null;
    /** Forces were asked for, and there is more than they take. */
    this.tooMany = false;
  }

  /** Say what holds now. */
  explain() {
    const words = this.#words();
    if (words !== null) say(this.element, words);
    this.element.hidden = words === null;
  }

  #words() {
    const { text, settings } = this.app;
    const filtered = this.app.filtered.get();
    if (this.trouble !== null || this.remark !== null) return this.trouble ?? this.remark;
    if (!filtered) return this.#wordsWithoutFrame();
    const { shownNodes, linkedNodes } = filtered.counts;
    if (!shownNodes) return text.t("nobodyPasses");
    if (settings.get().layout !== "force") return null;
    if (this.tooMany) return text.t("forceTooMany", { linked: linkedNodes });
    return linkedNodes ? null : text.t("forceNobody");
  }

  #wordsWithoutFrame() {
    const { status, text } = this.app;
    const { replayError: reason } = status.get();
    return reason === null ? text.t("noFrameYet") : text.t("notShown", { reason });
  }
}
