// @ts-check
/** Finds agents by id: what is found is selected, in addition to what was. */

import { rowOf } from "../data/figures.js";
import { element as make, say } from "../people/elements.js";
import { labelled } from "./fields.js";
import { select } from "./selection.js";

/** @typedef {import("../types.js").App} App */

/** @param {App} app */
export function createSearch(app) {
  const input = make("input", { type: "search", inputMode: "numeric", autocomplete: "off" });
  const button = make("button", { type: "submit", "data-text": "select" });
  const answer = make("p", { className: "answer", role: "status" });
  const field = labelled("findAgents", input);
  field.append(button);
  const element = make("form", { className: "form search", role: "search" }, field, answer);
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    say(answer, find(app, input.value));
  });
  return { element, dispose() {} };
}

/**
 * Select the agents named, and say how that went.
 * @param {App} app
 * @param {string} words ids, with commas or spaces between them
 * @returns {string}
 */
function find(app, words) {
  const { text, filtered, settings } = app;
  const asked = words.split(/[\s,;，；、]+/).filter((word) => word !== "");
  const wrong = asked.find((word) => !/^\d{1,16}$/.test(word) || !Number.isSafeInteger(+word));
  if (!asked.length || wrong !== undefined) return text.t("findFault", { words: wrong ?? words });
  const shown = filtered.get();
  if (!shown) return text.t("noFrameYet");
  const ids = asked.map(Number);
  const missing = ids.filter((id) => rowOf(shown.moment.frame, id) < 0);
  const found = ids.filter((id) => !missing.includes(id));
  const { selection } = settings.get();
  const others = selection.filter((id) => !found.includes(id));
  const many = select(app, [...others, ...found]);
  if (many !== null) return many;
  if (missing.length) return text.t("findMissing", { agents: missing.join(" ") });
  const hidden = found.filter((id) => !shown.nodes[rowOf(shown.moment.frame, id)]);
  if (hidden.length) return text.t("findHidden", { agents: hidden.join(" ") });
  return text.t("findFound", { agents: found.join(" ") });
}
