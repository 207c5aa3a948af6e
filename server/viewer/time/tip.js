// @ts-check
/** A few words beside the pointer. */

import { element as make, say } from "../people/elements.js";

const DISTANCE = 12;

export class Tip {
  /**
   * @param {HTMLElement} parent positioned; the tip stays within its width
   * @param {"beside" | "above"} [where] beside the pointer, or above the whole parent
   */
  constructor(parent, where = "beside") {
    this.parent = parent;
    this.where = where;
    this.element = make("div", { className: `time-tip ${where}`, role: "tooltip", hidden: true });
    parent.append(this.element);
  }

  /**
   * @param {string} text none hides it
   * @param {number} [x] pixels of the parent
   * @param {number} [y]
   */
  show(text, x = 0, y = 0) {
    this.element.hidden = text === "";
    if (text === "") return;
    say(this.element, text);
    const { offsetWidth, offsetHeight } = this.element;
    const left = Math.min(x + DISTANCE, this.parent.clientWidth - offsetWidth - 2);
    this.element.style.left = `${Math.max(0, left)}px`;
    if (this.where === "above") return;
    const isLow = y + DISTANCE + offsetHeight > this.parent.clientHeight;
    this.element.style.top = `${isLow ? y - offsetHeight - 4 : y + DISTANCE}px`;
  }
}
