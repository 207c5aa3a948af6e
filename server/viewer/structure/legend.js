// @ts-check
/** What colours, sizes, shapes and lines mean, with numbers. */

import { element as make, say } from "../people/elements.js";
import { UNITS, written } from "./features.js";
import { glyph } from "./glyphs.js";
import { radiusOf } from "./looks.js";

/** @typedef {import("../types.js").Settings} Settings */
/** @typedef {import("../people/text.js").Text} Text */
/** @typedef {import("./colors.js").Theme} Theme */
/** @typedef {import("./range.js").SteadyRange} SteadyRange */

const SIDES = Object.freeze(["buy", "sell", "none"]);
const TYPES = Object.freeze(["match", "quote_proximity"]);
/** Colours of the bar; between them it is even enough. */
const STOPS = 11;
const SVG = "http://www.w3.org/2000/svg";

/** The strip below the plot. */
export class Legend {
  /** @param {Text} text */
  constructor(text) {
    this.text = text;
    this.sides = make("span", { className: "legend-group" });
    this.color = make("span", { className: "legend-group" });
    this.size = make("span", { className: "legend-group" });
    this.types = make("span", { className: "legend-group" });
    this.element = make(
      "div",
      { className: "legend", role: "group", "data-label": "legend" },
      this.sides,
      this.color,
      this.size,
      this.types,
    );
    this.known = "";
  }

  /**
   * Say what holds now. Nothing is touched when it is what is said already.
   * @param {Settings} settings
   * @param {import("./looks.js").Looks} looks
   * @param {Theme} theme
   */
  tell(settings, looks, theme) {
    const { color, size, medium } = looks;
    const known = JSON.stringify([
      [settings.color, settings.size, settings.language, theme.dark, medium],
      [color.low, color.high, size.low, size.high],
    ]);
    if (known === this.known) return;
    this.known = known;
    this.#tellNames(settings.color === "dominant_side");
    this.#tellColor(settings.color, color, theme);
    this.#tellSize(settings.size, size, medium);
  }

  /** @param {boolean} colored */
  #tellNames(colored) {
    this.sides.classList.toggle("colored", colored);
    this.sides.replaceChildren(...SIDES.map((side) => this.#named(side)));
    this.types.replaceChildren(...TYPES.map((type) => this.#named(type)));
  }

  /** @param {string} key */
  #named(key) {
    return make("span", { className: "legend-item" }, glyph(key), this.text.t(key));
  }

  /** @param {Settings["color"]} feature @param {SteadyRange} range @param {Theme} theme */
  #tellColor(feature, range, theme) {
    this.color.hidden = feature === "dominant_side";
    if (feature === "dominant_side") return;
    this.color.replaceChildren(
      this.#title(feature),
      this.#number(range.low),
      barOf(theme),
      this.#number(range.high),
    );
  }

  /** @param {Settings["size"]} feature @param {SteadyRange} range @param {number} medium */
  #tellSize(feature, range, medium) {
    this.size.hidden = feature === "constant";
    if (feature === "constant") return;
    const sized = [range.low, (range.low + range.high) / 2, range.high].map((value) =>
      make(
        "span",
        { className: "legend-item" },
        circle(radiusOf(value, range, medium)),
        this.#number(value),
      ),
    );
    this.size.replaceChildren(this.#title(feature), ...sized);
  }

  /** @param {import("../types.js").Feature} feature */
  #title(feature) {
    const title = make("span", { className: "legend-title" });
    const unit = UNITS[feature] && this.text.t(UNITS[feature]);
    say(title, this.text.t(feature));
    if (unit) title.title = unit;
    return title;
  }

  /** @param {number} value */
  #number(value) {
    return make("span", { className: "number" }, written(this.text, value));
  }
}

/** @param {Theme} theme */
function barOf({ scale }) {
  const bar = make("span", { className: "legend-bar", "aria-hidden": "true" });
  const last = scale.length / 3 - 1;
  const stops = Array.from({ length: STOPS }, (_, k) => {
    const at = 3 * Math.round((k / (STOPS - 1)) * last);
    return `rgb(${scale[at]} ${scale[at + 1]} ${scale[at + 2]})`;
  });
  bar.style.backgroundImage = `linear-gradient(to right, ${stops.join(", ")})`;
  return bar;
}

/** @param {number} radius */
function circle(radius) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "glyph");
  svg.setAttribute("viewBox", "-9 -9 18 18");
  svg.setAttribute("width", "18");
  svg.setAttribute("height", "18");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(SVG, "circle");
  shape.setAttribute("r", radius.toFixed(2));
  svg.append(shape);
  return svg;
}
