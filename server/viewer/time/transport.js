// @ts-check
/** What plays, stops and steps; which run, which tick, how fast; and how far behind live it is. */

import { element as make, together } from "../people/elements.js";
import { SPEEDS } from "../state/settings.js";
import { icon, iconButton } from "./elements.js";
import { createEventSteps } from "./transport-events.js";
import { createLoopControls } from "./transport-loop.js";
import { createPlaceControls } from "./transport-place.js";
import { createState } from "./transport-state.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {{element: HTMLElement, dispose(): void}} Part */

/**
 * @param {HTMLElement} root
 * @param {App} app
 * @returns {{dispose(): void}}
 */
export function createTransport(root, app) {
  const parts = [
    createMoves(app),
    createSpeed(app),
    createPlaceControls(app),
    createLoopControls(app),
    createState(app),
  ];
  const element = make("div", { className: "transport" }, ...parts.map((part) => part.element));
  root.append(element);
  return {
    dispose() {
      for (const part of parts) part.dispose();
      element.remove();
    },
  };
}

/**
 * Live, back, play or pause, on.
 * @param {App} app
 * @returns {Part}
 */
function createMoves(app) {
  const { director, text } = app;
  const words = make("span", {});
  const live = make("button", { type: "button", className: "transport-live" }, icon("live"), words);
  live.addEventListener("click", () => director.goLive());
  const play = iconButton("play", "transportPlay", () => director.toggle());
  const steps = createEventSteps(app);
  const element = make(
    "div",
    { className: "transport-group", role: "group", "data-label": "transportMoves" },
    live,
    steps.before,
    iconButton("back", "transportStepBack", () => director.step(-1)),
    play,
    iconButton("on", "transportStepOn", () => director.step(1)),
    steps.next,
  );
  const write = () => {
    const { mode, playing } = app.cursor.get();
    const isLive = mode === "live";
    live.setAttribute("aria-pressed", String(isLive));
    words.textContent = text.t(isLive ? "transportLive" : "transportBack");
    const key = playing ? "transportPause" : "transportPlay";
    play.dataset.label = key;
    play.dataset.title = key;
    play.ariaLabel = text.t(key);
    play.title = text.t(key);
    play.replaceChildren(icon(playing ? "pause" : "play"));
  };
  const dispose = together(app.cursor.followFields(["mode", "playing"], write), text.follow(write));
  return { element, dispose };
}

/**
 * @param {App} app
 * @returns {Part}
 */
function createSpeed(app) {
  const options = SPEEDS.map((speed) => make("option", { value: String(speed) }, `${speed} ×`));
  const select = make("select", {}, ...options);
  select.addEventListener("change", () => app.director.setSpeed(Number(select.value)));
  const element = make("label", {}, make("span", { "data-text": "transportSpeed" }), select);
  const dispose = app.cursor.followFields(["speed", "mode"], ({ speed, mode }) => {
    select.value = mode === "live" ? "1" : String(speed);
    select.disabled = mode === "live";
  });
  return { element, dispose };
}
