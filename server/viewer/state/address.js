// @ts-check
/**
 * The address of the page says what it shows: mode, run, tick, and all settings that differ from
 * those at first. They stand behind the `#`, so that they never reach the camera.
 */

import { paced } from "./paced.js";
import { CHARTS, FEATURES, MOST_SELECTED } from "./settings.js";

/** @typedef {import("../types.js").Cursor} Cursor */
/** @typedef {import("../types.js").Feature} Feature */
/** @typedef {import("../types.js").Settings} Settings */

/** Browsers refuse an address that is written too often: 100 times in 30 s, some of them. */
const WRITE_EVERY_MS = 1_000;

/** @typedef {{settings: Partial<Settings>, moment: {run: string, t: number} | null}} Place */

/**
 * How a setting is written. `read` returns undefined for what cannot be used, which is then left
 * as it is at first.
 * @typedef {{write: (value: any) => string, read: (text: string) => any}} Form
 */

/**
 * @param {readonly string[]} values
 * @returns {Form}
 */
const oneOf = (values) => ({
  write: String,
  read: (text) => (values.includes(text) ? text : undefined),
});

/**
 * @param {readonly string[]} values
 * @returns {Form}
 */
const someOf = (values) => ({
  write: (chosen) => values.filter((value) => chosen.includes(value)).join(","),
  read: (text) => {
    const chosen = text.split(",").filter(Boolean);
    return chosen.every((value) => values.includes(value)) ? chosen : undefined;
  },
});

/** @type {Form} */
const flag = {
  write: (value) => (value ? "1" : "0"),
  read: (text) => ({ 0: false, 1: true })[text],
};

/** @type {Form} */
const share = {
  write: String,
  read: (text) =>
    text !== "" && Number(text) >= 0 && Number(text) <= 1 ? Number(text) : undefined,
};

/** @type {Form} */
const agents = {
  write: (ids) => ids.slice(0, MOST_SELECTED).join(","),
  read: (text) => {
    const ids = text.split(",").filter(Boolean).map(Number);
    return ids.length <= MOST_SELECTED && ids.every(isId) ? ids : undefined;
  },
};

/** @type {Form} */
const ranges = {
  write: (value) =>
    Object.entries(value)
      .map(([feature, [from, to]]) => `${feature}:${from}:${to}`)
      .join(","),
  read: (text) => {
    const found = /** @type {Settings["ranges"]} */ ({});
    for (const part of text.split(",").filter(Boolean)) {
      const [feature, from, to, ...more] = part.split(":");
      if (!FEATURES.includes(/** @type {Feature} */ (feature)) || more.length) return undefined;
      if (!from || !to || !(Number(from) <= Number(to))) return undefined;
      found[/** @type {Feature} */ (feature)] = [Number(from), Number(to)];
    }
    return found;
  },
};

/** @type {Form} */
const moment = {
  write: ({ run, t }) => `${run}@${t}`,
  read: (text) => {
    const [run, t] = text.split("@");
    return run && /^-?\d+$/.test(t ?? "") ? { run, t: Number(t) } : undefined;
  },
};

/** @type {Record<keyof Settings, Form>} */
const FORMS = {
  layout: oneOf(["axes", "force"]),
  x: oneOf(FEATURES),
  y: oneOf(FEATURES),
  color: oneOf([...FEATURES, "dominant_side"]),
  size: oneOf([...FEATURES, "constant"]),
  types: someOf(["match", "quote_proximity"]),
  minWeight: share,
  sides: someOf(["buy", "sell", "none"]),
  ranges,
  linkedOnly: flag,
  selection: agents,
  trails: flag,
  compare: moment,
  panel: oneOf(["inspector", "table"]),
  charts: someOf(CHARTS),
  language: oneOf(["en", "zh"]),
};

/** @param {number} id */
function isId(id) {
  return Number.isSafeInteger(id) && id >= 0;
}

/**
 * Whether an address says what to show; it may as well name a part of the page.
 * @param {string} hash with or without the `#`
 */
export function isPlace(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  return ["mode", ...Object.keys(FORMS)].some((name) => given.has(name));
}

/**
 * Read an address. What cannot be used in it is left out.
 * @param {string} hash with or without the `#`
 * @returns {Place}
 */
export function readPlace(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const settings = /** @type {any} */ ({});
  for (const [name, form] of Object.entries(FORMS)) {
    const text = given.get(name);
    const value = text === null ? undefined : form.read(text);
    if (value !== undefined) settings[name] = value;
  }
  const at =
    given.get("mode") === "recorded"
      ? moment.read(`${given.get("run") ?? ""}@${given.get("t")}`)
      : undefined;
  return { settings, moment: at ?? null };
}

/**
 * Write an address, without the `#`.
 * @param {Settings} settings
 * @param {Settings} atFirst
 * @param {Cursor} cursor
 * @returns {string}
 */
export function writePlace(settings, atFirst, cursor) {
  const words = new URLSearchParams();
  words.set("mode", cursor.mode);
  if (cursor.mode === "recorded" && cursor.run !== null && cursor.t !== null) {
    words.set("run", cursor.run);
    words.set("t", String(cursor.t));
  }
  for (const [name, form] of Object.entries(FORMS)) {
    const value = settings[/** @type {keyof Settings} */ (name)];
    const first = atFirst[/** @type {keyof Settings} */ (name)];
    if (value !== null && (first === null || form.write(value) !== form.write(first))) {
      words.set(name, form.write(value));
    }
  }
  return words.toString();
}

/**
 * Show what an address says, and of what it does not say what is shown at first.
 * @param {import("../types.js").App} app
 * @param {Settings} atFirst
 * @param {Place} place
 */
export function goTo({ settings, director }, atFirst, place) {
  settings.set({ ...atFirst, ...place.settings });
  if (place.moment) director.seek(place.moment.run, place.moment.t);
  else director.goLive();
}

/**
 * Keep the address in step with what is shown.
 * @param {import("../types.js").App} app
 * @param {Settings} atFirst
 */
export function keepAddress(app, atFirst) {
  let kept = location.hash;
  const { ask } = paced(WRITE_EVERY_MS, () => {
    if (location.hash !== kept) return; // a link was pasted just now, and is not yet followed
    const { mode, seeking, t } = app.cursor.get();
    if (mode === "recorded" && (seeking || t === null)) return; // what it says has not come yet
    const place = writePlace(app.settings.get(), atFirst, app.cursor.get());
    history.replaceState(null, "", `#${place}`);
    kept = location.hash;
  });
  addEventListener("hashchange", () => {
    kept = location.hash;
    ask();
  });
  app.settings.follow(ask);
  app.cursor.followFields(["mode", "run"], ask);
  app.cursor.follow(({ mode }) => {
    if (mode === "recorded") ask();
  });
}
