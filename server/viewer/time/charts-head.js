// @ts-check
/** The line above the charts: which span they show, how they stand, what the marks mean, the menu. */

import { element as make, say } from "../people/elements.js";
import { numberText } from "../people/numbers.js";
import { createChartsMenu } from "./charts-menu.js";
import { icon, iconButton } from "./elements.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("./charts-source.js").ChartSource} ChartSource */

/**
 * @typedef {object} HeadWishes
 * @property {(factor: number) => void} zoom
 * @property {() => void} follow
 * @property {() => void} retry
 */

export class ChartsHead {
  /**
   * @param {HTMLElement} parent
   * @param {App} app
   * @param {HeadWishes} wishes
   */
  constructor(parent, app, wishes) {
    this.app = app;
    this.span = make("span", { className: "charts-span number" });
    this.note = make("span", { className: "charts-note", role: "status" });
    this.retry = make("button", { type: "button", "data-text": "chartsRetry", hidden: true });
    this.retry.addEventListener("click", wishes.retry);
    this.follow = make("button", { type: "button", "data-text": "chartsFollow" });
    this.follow.dataset.title = "chartsFollowTitle";
    this.follow.addEventListener("click", wishes.follow);
    const menu = createChartsMenu(app);
    this.menu = menu;
    const element = make(
      "header",
      { className: "charts-head" },
      make("h2", { "data-text": "charts" }),
      this.span,
      this.note,
      this.retry,
      createLegend(),
      make(
        "div",
        { className: "charts-tools", role: "group", "data-label": "chartsTools" },
        iconButton("closer", "chartsCloser", () => wishes.zoom(0.5)),
        iconButton("farther", "chartsFarther", () => wishes.zoom(2)),
        this.follow,
        menu.element,
      ),
    );
    parent.append(element);
  }

  dispose() {
    this.menu.dispose();
  }

  /**
   * @param {import("../types.js").Span} span
   * @param {number | null} hovered
   * @param {number} rate ticks a second
   */
  writeSpan(span, hovered, rate) {
    const { text } = this.app;
    const number = (/** @type {number} */ value) => numberText(text.language, value);
    const seconds = (span.to - span.from) / rate;
    const words = text.t("chartsSpan", {
      from: number(Math.max(0, span.from)),
      to: number(span.to),
      seconds: numberText(text.language, seconds, seconds < 10 ? 1 : 0),
    });
    say(this.span, hovered === null ? words : text.t("timeTick", { t: number(hovered) }));
    const pressed = String(span.follow);
    if (this.follow.getAttribute("aria-pressed") !== pressed) {
      this.follow.setAttribute("aria-pressed", pressed);
    }
  }

  /**
   * @param {ChartSource} source
   * @param {import("../types.js").SeriesSlice | null} slice
   */
  writeState(source, slice) {
    const { text } = this.app;
    const failed = source.state === "failed";
    let note = "";
    if (failed) note = text.t("chartsFailed", { reason: source.reason ?? "" });
    else if (source.state === "loading") note = text.t("chartsLoading");
    else if (!slice) note = text.t("chartsNothing");
    else if (slice.sampled) note = text.t("chartsSampled");
    say(this.note, note);
    this.note.classList.toggle("bad", failed);
    this.retry.hidden = !failed;
  }
}

function createLegend() {
  const entry = (/** @type {string} */ name, /** @type {Node} */ sign) =>
    make("li", { className: name }, sign, make("span", { "data-text": `${name}Sign` }));
  return make(
    "ul",
    { className: "charts-legend", "data-label": "chartsLegend" },
    entry("burst", icon("burst")),
    entry("shock", icon("shock")),
    entry("missing", make("i")),
  );
}
