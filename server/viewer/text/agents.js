// @ts-check
/** Words of the inspector, the table and the comparison. */

/** @type {import("../people/text.js").Words} */
export const agents = {
  en: { agents: "Agents" },
  zh: { agents: "智能体" },
};
