// @ts-check
/** What is shown, as files: the picture as PNG, the table as CSV, the frame as JSON. */

import { frameObject } from "../columns.js";
import { figureOf } from "../data/figures.js";
import { FEATURES } from "../state/settings.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").Filtered} Filtered */
/** @typedef {import("../types.js").Moment} Moment */
/** @typedef {ReturnType<typeof import("../structure/structure.js").createStructure>["snapshot"]} Snapshot */

/**
 * Return the frame as its JSON message, one line.
 * @param {Moment} moment
 * @returns {string}
 */
export function frameText({ frame }) {
  return `${JSON.stringify(frameObject(frame))}\n`;
}

/**
 * Return the agents that are shown, with all features, as CSV (RFC 4180).
 * @param {Filtered} filtered
 * @returns {string}
 */
export function tableText({ moment, nodes: shown }) {
  const { run, t, frame } = moment;
  const { nodes } = frame;
  const features = FEATURES.filter((feature) => feature !== "agent_id");
  const lines = [["run", "t", "agent_id", ...features, "dominant_side"].join(",")];
  for (let row = 0; row < nodes.count; row++) {
    if (!shown[row]) continue;
    const figures = features.map((feature) => cell(figureOf(frame, feature, row)));
    lines.push(
      [quoted(run), t, nodes.agent_id[row], ...figures, nodes.sides[nodes.dominant_side[row]]].join(
        ",",
      ),
    );
  }
  return `${lines.join("\r\n")}\r\n`;
}

/** @param {number} value */
function cell(value) {
  return Number.isNaN(value) ? "" : String(value);
}

/** @param {string} words */
function quoted(words) {
  return /[",\r\n]/.test(words) ? `"${words.replaceAll('"', '""')}"` : words;
}

/**
 * @param {Blob} blob
 * @param {string} name
 */
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // the browser has begun to read by then
}

/**
 * Save the picture of the structure.
 * @param {App} app
 * @param {Snapshot} snapshot
 */
export async function savePicture(app, snapshot) {
  const moment = app.moment.get();
  if (!moment) return;
  (await snapshot())?.toBlob((blob) => {
    if (blob) save(blob, nameOf(moment, "png"));
  }, "image/png");
}

/**
 * Save the table of what is shown.
 * @param {App} app
 */
export function saveTable(app) {
  const filtered = app.filtered.get();
  if (filtered)
    save(new Blob([tableText(filtered)], { type: "text/csv" }), nameOf(filtered.moment, "csv"));
}

/**
 * Save the frame.
 * @param {App} app
 */
export function saveFrame(app) {
  const moment = app.moment.get();
  if (moment)
    save(new Blob([frameText(moment)], { type: "application/json" }), nameOf(moment, "json"));
}

/**
 * @param {Moment} moment
 * @param {string} ending
 */
function nameOf({ run, t }, ending) {
  return `marketcam_${run}_t${t}.${ending}`.replaceAll(/[^\w.-]/g, "_");
}
