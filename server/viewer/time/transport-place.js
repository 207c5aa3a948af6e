// @ts-check
/** Which run and which tick is shown, both to be chosen. */

import { element as make, together } from "../people/elements.js";
import { clockText, numberText } from "../people/numbers.js";
import { Redraw } from "../state/redraw.js";
import { runOf } from "./runs.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").Run} Run */

/** Between two looks at the list of runs. */
const ENTRIES_MS = 1_000;

/**
 * Read a tick as people write it: digits, with or without separators between thousands.
 * @param {string} text
 * @returns {number | null} null if it is none
 */
export function readTick(text) {
  const digits = text.trim().replace(/(?<=\d)[\s,.'’_](?=\d{3}(\D|$))/g, "");
  if (!/^\d{1,15}$/.test(digits)) return null;
  return Number(digits);
}

/**
 * @param {App} app
 * @returns {{element: HTMLElement, dispose(): void}}
 */
export function createPlaceControls(app) {
  const parts = [createRunPicker(app), createTickField(app)];
  const element = make(
    "div",
    { className: "transport-group transport-place" },
    ...parts.map((part) => part.element),
  );
  return { element, dispose: together(...parts.map((part) => part.dispose)) };
}

/** @param {App} app */
function createRunPicker(app) {
  const { text, director } = app;
  const select = make("select", {});
  select.addEventListener("change", () => {
    const run = runOf(app, select.value);
    if (run?.current) director.goLive();
    else if (run) director.seek(run.run, run.firstFrame ?? run.first_t);
  });
  let written = "";
  const write = () => {
    const entries = app.recording.get().runs.map((run) => ({ run, words: entryOf(app, run) }));
    const all = JSON.stringify(entries.map(({ run, words }) => [run.run, words]));
    if (all !== written) {
      written = all;
      const options = entries.map(({ run, words }) => make("option", { value: run.run }, words));
      select.replaceChildren(...options.reverse()); // the newest first
    }
    select.value = app.cursor.get().run ?? "";
  };
  const redraw = new Redraw(write, ENTRIES_MS);
  const dispose = together(
    app.recording.followFields(["runs"], () => redraw.soon()), // with every frame: it grows
    app.cursor.followFields(["run"], () => redraw.now()),
    text.follow(() => redraw.now()),
    () => redraw.dispose(),
  );
  const element = make("label", {}, make("span", { "data-text": "transportRun" }), select);
  return { element, dispose };
}

/**
 * @param {App} app
 * @param {Run} run
 */
function entryOf({ text }, run) {
  const started = clockText(text.language, run.started_at);
  if (run.current) return text.t("transportRunCurrent", { started });
  const ticks = numberText(text.language, run.last_t - run.first_t + 1);
  return text.t("transportRunEntry", { started, ticks });
}

/** @param {App} app */
function createTickField(app) {
  const { text } = app;
  const input = make("input", { type: "text", inputMode: "numeric", className: "number", size: 9 });
  input.setAttribute("autocomplete", "off");
  const fault = make("span", {
    className: "transport-fault",
    role: "alert",
    id: "transport-fault",
  });
  input.setAttribute("aria-describedby", fault.id);
  let isEdited = false;
  const write = () => {
    if (!isEdited) input.value = String(app.cursor.get().t ?? "");
  };
  const complain = (/** @type {string} */ words) => {
    input.setAttribute("aria-invalid", String(words !== ""));
    fault.textContent = words;
  };
  const leave = () => {
    isEdited = false;
    complain("");
    write();
  };
  const seek = () => {
    const { run } = app.cursor.get();
    const t = readTick(input.value);
    const last = runOf(app, run)?.last_t ?? app.cursor.get().t ?? 0;
    if (t === null || t > last) {
      const values = { text: input.value, last: numberText(text.language, last) };
      complain(text.t("transportTickBad", values));
    } else if (run !== null) {
      leave();
      app.director.seek(run, t);
    }
  };
  input.addEventListener("input", () => {
    isEdited = true;
    complain("");
  });
  input.addEventListener("blur", leave);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") seek();
    else if (event.key === "Escape") leave();
    else return;
    event.stopPropagation();
  });
  const redraw = new Redraw(write);
  const end = app.cursor.followFields(["t"], () => redraw.now());
  const element = make("label", {}, make("span", { "data-text": "transportTick" }), input);
  return {
    element: make("div", { className: "transport-group" }, element, fault),
    dispose() {
      end();
      redraw.dispose();
    },
  };
}
