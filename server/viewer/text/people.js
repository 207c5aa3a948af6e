// @ts-check
/** Words of the status, the help, the dialogs and the exports. */

/** @type {import("../people/text.js").Words} */
export const people = {
  en: {},
  zh: {},
};
