// @ts-check
/** The keyboard: keys to commands, and the sheet that tells them. */

import { COMMANDS } from "./commands.js";
import { element } from "./elements.js";

/** @typedef {import("../types.js").App} App */

/** What takes keys itself. Buttons take the space bar and Enter, and leave the rest. */
const TAKES_ALL = "input, select, textarea, [contenteditable], dialog, [popover]:popover-open";
const TAKES_ARROWS = "[role='grid'], [role='slider'], [role='tablist'], #structure";
const ARROWS = new Set(["ArrowLeft", "ArrowRight", "Home", "End"]);

/** Keys with a name in words, by the words' key; and those with a sign. @type {Record<string, string>} */
const WORDS = { " ": "keySpace", "Shift+drag": "keyShiftDrag" };
/** @type {Record<string, string>} */
const SIGNS = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  PageUp: "Page ↑",
  PageDown: "Page ↓",
  Escape: "Esc",
  "-": "−",
};

/** @param {App} app */
export function createKeys(app) {
  /** @param {KeyboardEvent} event */
  const press = (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "?") {
      if (!isIn(event, TAKES_ALL)) openHelp(app);
      return;
    }
    if (isTakenElsewhere(event)) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const command = COMMANDS.find(({ keys }) => keys.includes(key));
    if (!command?.run) return;
    event.preventDefault();
    command.run(app);
  };
  document.addEventListener("keydown", press);
  return { dispose: () => document.removeEventListener("keydown", press) };
}

/** @param {KeyboardEvent} event */
function isTakenElsewhere(event) {
  if (isIn(event, TAKES_ALL)) return true;
  if (ARROWS.has(event.key) && isIn(event, TAKES_ARROWS)) return true;
  return event.key === " " && isIn(event, "button, summary, [role='grid'], [role='tab']");
}

/**
 * @param {Event} event
 * @param {string} selector
 */
function isIn({ target }, selector) {
  return target instanceof Element && target.closest(selector) !== null;
}

/**
 * Open the sheet that tells the keys.
 * @param {App} app
 */
export function openHelp({ text }) {
  const rows = COMMANDS.flatMap(({ keys, words }) => [
    element("dt", {}, ...keys.map((key) => element("kbd", {}, keyName(key, text)))),
    element("dd", {}, text.t(words)),
  ]);
  const close = element("button", { type: "button", className: "primary" }, text.t("close"));
  const dialog = element(
    "dialog",
    { className: "help", "aria-labelledby": "help-title" },
    element(
      "div",
      { className: "help-head" },
      element("h2", { id: "help-title" }, text.t("helpTitle")),
      close,
    ),
    element("p", {}, text.t("helpLead")),
    element("dl", {}, ...rows),
    element("h2", {}, text.t("helpPointer")),
    element("p", {}, text.t("helpPointerText")),
  );
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/**
 * @param {string} key
 * @param {import("./text.js").Text} text
 */
function keyName(key, text) {
  if (key in WORDS) return text.t(WORDS[key]);
  return SIGNS[key] ?? (key.length === 1 ? key.toUpperCase() : key);
}
