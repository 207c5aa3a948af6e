// @ts-check
/** What can be done from the keyboard: one list, for the keys and for the help sheet. */

import { SPEEDS } from "../state/settings.js";
import { limitsOf } from "../time/follow.js";
import { markForComparison } from "./comparing.js";

/** @typedef {import("../types.js").App} App */

/**
 * @typedef {object} Command
 * @property {string[]} keys `KeyboardEvent.key`, letters as they are without shift
 * @property {string} words key of what it does, in words
 * @property {(app: App) => void} [run] missing: the part of the page that has the focus does it
 */

/** @type {readonly Command[]} */
export const COMMANDS = Object.freeze([
  { keys: [" "], words: "keyToggle", run: ({ director }) => director.toggle() },
  { keys: ["l", "End"], words: "keyLive", run: ({ director }) => director.goLive() },
  { keys: ["ArrowRight", "."], words: "keyForward", run: ({ director }) => director.step(1) },
  { keys: ["ArrowLeft", ","], words: "keyBack", run: ({ director }) => director.step(-1) },
  { keys: ["Home"], words: "keyFirst", run: seekFirst },
  { keys: ["]"], words: "keyFaster", run: (app) => changeSpeed(app, 1) },
  { keys: ["["], words: "keySlower", run: (app) => changeSpeed(app, -1) },
  { keys: ["o"], words: "keyLoop", run: toggleLoop },
  { keys: ["g"], words: "keyLayout", run: toggleLayout },
  { keys: ["m"], words: "keyMatches", run: (app) => toggleType(app, "match") },
  { keys: ["p"], words: "keyProximity", run: (app) => toggleType(app, "quote_proximity") },
  {
    keys: ["n"],
    words: "keyLinked",
    run: ({ settings }) => settings.set({ linkedOnly: !settings.get().linkedOnly }),
  },
  {
    keys: ["r"],
    words: "keyTrails",
    run: ({ settings }) => settings.set({ trails: !settings.get().trails }),
  },
  { keys: ["c"], words: "keyCompare", run: markForComparison },
  {
    keys: ["i"],
    words: "keyInspector",
    run: ({ settings }) => settings.set({ panel: "inspector" }),
  },
  { keys: ["t"], words: "keyTable", run: ({ settings }) => settings.set({ panel: "table" }) },
  { keys: ["/"], words: "keySearch", run: focusSearch },
  {
    keys: ["Escape"],
    words: "keyDeselect",
    run: ({ settings }) => settings.set({ selection: [] }),
  },
  { keys: ["+", "-", "0"], words: "keyZoom" },
  { keys: ["Shift+drag"], words: "keyBox" },
  { keys: ["ArrowLeft", "ArrowRight", "Enter"], words: "keyCrosshair" },
  { keys: ["+", "-", "Home"], words: "keySpan" },
  { keys: ["PageUp", "PageDown", "Home", "End"], words: "keyTimeline" },
  { keys: ["+", "-", "0"], words: "keyStretch" },
  { keys: ["ArrowUp", "ArrowDown", "PageUp", "PageDown"], words: "keyRows" },
  { keys: ["Enter", " "], words: "keyRow" },
]);

/** @param {App} app */
function seekFirst({ cursor, recording, director }) {
  const { run } = cursor.get();
  const about = recording.get().runs.find((known) => known.run === run);
  if (about && about.firstFrame !== null) director.seek(about.run, about.firstFrame);
}

/**
 * @param {App} app
 * @param {number} by steps of the list of speeds
 */
function changeSpeed({ cursor, director }, by) {
  const { speed } = cursor.get();
  const at = SPEEDS.findIndex((known) => known >= speed);
  director.setSpeed(SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, at + by))]);
}

/** @param {App} app */
function toggleLoop(app) {
  const { cursor, span, director } = app;
  const limits = limitsOf(app, cursor.get());
  const from = Math.ceil(Math.max(span.get().from, limits.from));
  const to = Math.floor(Math.min(span.get().to, limits.to));
  if (cursor.get().loop || from >= to) director.setLoop(null);
  else director.setLoop({ from, to });
}

/** @param {App} app */
function toggleLayout({ settings }) {
  settings.set({ layout: settings.get().layout === "axes" ? "force" : "axes" });
}

/**
 * @param {App} app
 * @param {import("../types.js").EdgeType} type
 */
function toggleType({ settings }, type) {
  const { types } = settings.get();
  settings.set({
    types: types.includes(type) ? types.filter((shown) => shown !== type) : [...types, type],
  });
}

function focusSearch() {
  const field = document.querySelector(
    "#controls input[type='search'], #agents input[type='search']",
  );
  if (field instanceof HTMLInputElement) field.focus();
}
