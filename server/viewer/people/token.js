// @ts-check
/** Asks for the token that the camera wants of its readers. */

import { element } from "./elements.js";

/**
 * Ask until there is one.
 * @param {HTMLElement} root where the dialog is put
 * @param {import("./text.js").Text} text
 * @param {boolean} wasWrong the one before was not taken
 * @returns {Promise<string>}
 */
export function askForToken(root, text, wasWrong) {
  const field = element("input", {
    type: "password",
    id: "token",
    autocomplete: "off",
    required: true,
  });
  const say = element("p", { role: "alert" }, wasWrong ? text.t("tokenWrong") : "");
  const dialog = element(
    "dialog",
    { className: "token", "aria-labelledby": "token-title" },
    element(
      "form",
      { method: "dialog" },
      element("h2", { id: "token-title" }, text.t("tokenTitle")),
      element("label", { for: "token" }, text.t("tokenAsk")),
      field,
      say,
      element("button", { className: "primary" }, text.t("tokenUse")),
    ),
  );
  root.append(dialog);
  dialog.addEventListener("cancel", (event) => event.preventDefault()); // nothing to go back to
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      if (!field.value) {
        dialog.showModal(); // a second Esc closes it whatever is said to the first
        return;
      }
      dialog.remove();
      resolve(field.value);
    });
  });
}
