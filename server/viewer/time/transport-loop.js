// @ts-check
/** A section that is played again and again: from and to where the cursor is, or what is visible. */

import { element as make, say, together } from "../people/elements.js";
import { numberText } from "../people/numbers.js";
import { iconButton } from "./elements.js";
import { limitsOf } from "./follow.js";

/** @typedef {import("../types.js").App} App */

/**
 * Return the section with another first or last tick. Where that turns it around, the other end
 * goes to the end of what there is.
 * @param {{from: number, to: number} | null} loop
 * @param {{from?: number, to?: number}} mark
 * @param {{from: number, to: number}} limits
 * @returns {{from: number, to: number}}
 */
export function remarked(loop, mark, limits) {
  const { from, to } = { ...(loop ?? limits), ...mark };
  if (from < to) return { from, to };
  return mark.from === undefined ? { from: limits.from, to } : { from, to: limits.to };
}

/**
 * @param {App} app
 * @returns {{element: HTMLElement, dispose(): void}}
 */
export function createLoopControls(app) {
  const { director, text } = app;
  const mark = (/** @type {"from" | "to"} */ end) => {
    const cursor = app.cursor.get();
    if (cursor.t === null) return;
    const marked = remarked(cursor.loop, { [end]: cursor.t }, limitsOf(app, cursor));
    if (marked.from < marked.to) director.setLoop(marked);
  };
  const clear = iconButton("clear", "transportLoopClear", () => director.setLoop(null));
  const section = make("span", { className: "transport-section number" });
  const element = make(
    "div",
    { className: "transport-group", role: "group", "data-label": "transportLoop" },
    iconButton("in", "transportLoopIn", () => mark("from")),
    iconButton("out", "transportLoopOut", () => mark("to")),
    iconButton("loop", "transportLoopSpan", () => {
      const { from, to } = app.span.get();
      const limits = limitsOf(app, app.cursor.get());
      const section = { from: Math.max(from, limits.from), to: Math.min(to, limits.to) };
      if (section.from < section.to) director.setLoop(section);
    }),
    clear,
    section,
  );
  const write = () => {
    const { loop } = app.cursor.get();
    clear.hidden = loop === null;
    section.hidden = loop === null;
    if (!loop) return;
    const number = (/** @type {number} */ value) => numberText(text.language, value);
    say(section, text.t("transportLoopIs", { from: number(loop.from), to: number(loop.to) }));
  };
  const dispose = together(app.cursor.followFields(["loop"], write), text.follow(write));
  return { element, dispose };
}
