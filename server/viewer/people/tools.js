// @ts-check
/** Language, export and help. */

import { element } from "./elements.js";
import { saveFrame, savePicture, saveTable } from "./export.js";
import { openHelp } from "./keys.js";

/** @typedef {import("../types.js").App} App */

const TOAST_MS = 2_500;

/**
 * @param {HTMLElement} root
 * @param {App} app
 * @param {import("./export.js").Snapshot} snapshot gives the picture of the structure
 */
export function createTools(root, app, snapshot) {
  const language = element("button", { type: "button", "data-title": "switchLanguage" });
  const exporting = element("button", {
    type: "button",
    "data-text": "export",
    "aria-haspopup": "menu",
  });
  const help = element(
    "button",
    { type: "button", "data-title": "helpTitle", "data-label": "helpTitle" },
    "?",
  );
  const menu = createMenu(app, snapshot);
  exporting.setAttribute("popovertarget", menu.id);
  language.addEventListener("click", () => {
    app.settings.set({ language: app.text.language === "en" ? "zh" : "en" });
  });
  help.addEventListener("click", () => openHelp(app));
  root.append(language, exporting, help, menu);
  const end = app.text.follow(() => {
    const other = app.text.language === "en" ? "zh" : "en";
    language.textContent = { en: "English", zh: "中文" }[other];
    language.lang = other;
  });
  return { dispose: end };
}

/**
 * @param {App} app
 * @param {import("./export.js").Snapshot} snapshot
 */
function createMenu(app, snapshot) {
  const menu = element("div", {
    id: "export-menu",
    className: "menu",
    popover: "auto",
    "data-label": "export",
  });
  /** @type {[string, () => void][]} */
  const entries = [
    ["exportPicture", () => savePicture(app, snapshot)],
    ["exportTable", () => saveTable(app)],
    ["exportFrame", () => saveFrame(app)],
    ["copyLink", () => copyLink(app)],
  ];
  for (const [words, run] of entries) {
    const entry = element("button", { type: "button", "data-text": words });
    entry.addEventListener("click", () => {
      menu.hidePopover();
      run();
    });
    menu.append(entry);
  }
  return menu;
}

/** @param {App} app */
async function copyLink({ text, cursor }) {
  const { run, t } = cursor.get();
  const words = new URLSearchParams(location.hash.slice(1));
  words.set("mode", "recorded"); // who follows the link sees this moment, not the present
  if (run !== null && t !== null) {
    words.set("run", run);
    words.set("t", String(t));
  }
  const link = `${location.origin}${location.pathname}#${words}`;
  try {
    await navigator.clipboard.writeText(link);
    toast(text.t("linkCopied"));
  } catch {
    prompt(text.t("copyLink"), link); // a page without TLS has no clipboard
  }
}

/** @param {string} words */
function toast(words) {
  const shown = element("div", { className: "toast", role: "status" }, words);
  document.body.append(shown);
  setTimeout(() => shown.remove(), TOAST_MS);
}
