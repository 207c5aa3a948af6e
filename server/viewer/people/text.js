// @ts-check
/**
 * The words of the page in the language chosen. Each part of the page has its words in a file of
 * `text/`, in all languages side by side.
 */

import { agents } from "../text/agents.js";
import { people } from "../text/people.js";
import { structure } from "../text/structure.js";
import { time } from "../text/time.js";
import { roundedText } from "./numbers.js";

/** @typedef {import("../types.js").Settings} Settings */
/** @typedef {Settings["language"]} Language */
/** @typedef {Record<Language, Record<string, string>>} Words */

/** @type {readonly Words[]} */
export const WORDS = Object.freeze([structure, time, agents, people]);

/** Gives words by key, and keeps elements in the language chosen. */
export class Text {
  /** @param {import("../state/observable.js").Observable<Settings>} settings */
  constructor(settings) {
    this.settings = settings;
    /** @type {Record<Language, Record<string, string>>} */
    this.words = { en: {}, zh: {} };
    for (const words of WORDS) {
      Object.assign(this.words.en, words.en);
      Object.assign(this.words.zh, words.zh);
    }
  }

  /** @returns {Language} */
  get language() {
    return this.settings.get().language;
  }

  /**
   * Return the words of a key; `{name}` in them is replaced by the value of that name, numbers in
   * the manner of the language.
   * @param {string} key
   * @param {Record<string, string | number>} [values]
   * @returns {string}
   */
  t(key, values = {}) {
    const words = this.words[this.language][key];
    if (words === undefined) throw new Error(`no words for '${key}' in ${this.language}`);
    return words.replace(/\{(\w+)\}/g, (whole, name) => {
      const value = values[name];
      if (value === undefined) return whole;
      return typeof value === "number" ? this.number(value) : value;
    });
  }

  /**
   * @param {number} value
   * @param {number} [digits] of the fraction at most
   * @returns {string}
   */
  number(value, digits = 6) {
    return roundedText(this.language, value, digits);
  }

  /**
   * Be told when the language changes, and now.
   * @param {() => void} follower
   * @returns {() => void} ends it
   */
  follow(follower) {
    return this.settings.followFields(["language"], follower);
  }

  /**
   * Fill what names its words itself, now and when the language changes: `data-text` is for an
   * element's text, `data-label` for its accessible name, `data-title` for its tooltip.
   * @param {ParentNode} root
   * @returns {() => void} ends it
   */
  keep(root) {
    return this.follow(() => {
      for (const element of root.querySelectorAll("[data-text]")) {
        element.textContent = this.t(attribute(element, "data-text"));
      }
      for (const element of root.querySelectorAll("[data-label]")) {
        element.setAttribute("aria-label", this.t(attribute(element, "data-label")));
      }
      for (const element of root.querySelectorAll("[data-title]")) {
        element.setAttribute("title", this.t(attribute(element, "data-title")));
      }
    });
  }
}

/**
 * @param {Element} element
 * @param {string} name
 */
function attribute(element, name) {
  return element.getAttribute(name) ?? "";
}
