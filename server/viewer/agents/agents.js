// @ts-check
/** The side panel: inspector or table. */

import { element } from "../people/elements.js";
import { createComparison } from "./comparison.js";
import { createInspector } from "./inspector.js";
import { createTable } from "./table.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").Settings["panel"]} Panel */

/** @type {readonly Panel[]} */
const PANELS = Object.freeze(["inspector", "table"]);

/**
 * @param {HTMLElement} root
 * @param {App} app
 */
export function createAgents(root, app) {
  const tabs = PANELS.map((panel) => createTab(app, panel));
  const bodies = PANELS.map((panel) =>
    element("div", {
      id: `panel-${panel}`,
      className: "panel",
      role: "tabpanel",
      "aria-labelledby": `tab-${panel}`,
    }),
  );
  const list = element(
    "div",
    { role: "tablist", className: "tabs", "data-label": "agents" },
    ...tabs,
  );
  const comparison = element("div", { className: "comparison" });
  root.append(list, comparison, ...bodies);
  const views = [createInspector(bodies[0], app), createTable(bodies[1], app)];
  const compared = createComparison(comparison, app);
  list.addEventListener("keydown", (event) => moveAmongTabs(event, app, tabs));
  const end = app.settings.followFields(["panel"], ({ panel: open }) => {
    PANELS.forEach((panel, at) => {
      tabs[at].setAttribute("aria-selected", String(panel === open));
      tabs[at].tabIndex = panel === open ? 0 : -1;
      bodies[at].hidden = panel !== open;
    });
    for (const view of views) view.update();
  });
  return {
    dispose() {
      end();
      compared.dispose();
      for (const view of views) view.dispose();
    },
  };
}

/**
 * @param {App} app
 * @param {Panel} panel
 */
function createTab(app, panel) {
  const tab = element("button", {
    type: "button",
    id: `tab-${panel}`,
    role: "tab",
    "aria-controls": `panel-${panel}`,
    "data-text": panel,
  });
  tab.addEventListener("click", () => app.settings.set({ panel }));
  return tab;
}

/**
 * @param {KeyboardEvent} event
 * @param {App} app
 * @param {HTMLButtonElement[]} tabs
 */
function moveAmongTabs(event, app, tabs) {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (by === undefined) return;
  event.preventDefault();
  const at = (PANELS.indexOf(app.settings.get().panel) + by + PANELS.length) % PANELS.length;
  app.settings.set({ panel: PANELS[at] });
  tabs[at].focus();
}
