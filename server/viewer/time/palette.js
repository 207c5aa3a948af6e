// @ts-check
/** The colours of the style sheets (base.css), for what is drawn on a canvas. */

const NAMES = /** @type {const} */ ([
  "panel",
  "raised",
  "line",
  "line-strong",
  "text",
  "text-soft",
  "accent",
  "burst",
  "shock",
  "good",
]);

/** @typedef {Record<(typeof NAMES)[number], string>} Colors */

export class Palette {
  /**
   * @param {Element} element whose style has the colours
   * @param {() => void} onChange
   */
  constructor(element, onChange) {
    this.element = element;
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.colors = this.#read();
    this.listener = () => {
      this.colors = this.#read();
      onChange();
    };
    this.dark.addEventListener("change", this.listener);
  }

  dispose() {
    this.dark.removeEventListener("change", this.listener);
  }

  /** @returns {Colors} */
  #read() {
    const style = getComputedStyle(this.element);
    const read = NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim() || "gray"]);
    return Object.fromEntries(read);
  }
}
