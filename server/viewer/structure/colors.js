// @ts-check
/**
 * Colours: those of the style sheet for sides and edges, and a scale for numbers.
 *
 * The scale is viridis (van der Walt and Smith, matplotlib, CC0): perceptually even, and even for
 * colour-blind eyes and in grey. Of it the part that stands off the ground is used: not the
 * lightest colours on a light ground, not the darkest on a dark one.
 */

/** @typedef {[number, number, number]} Rgb each 0 to 255 */

const VIRIDIS = [
  "440154",
  "482475",
  "414487",
  "355f8d",
  "2a788e",
  "21918c",
  "22a884",
  "44bf70",
  "7ad151",
  "bddf26",
  "fde725",
].map(hexadecimal);
const PART = { light: [0, 0.86], dark: [0.22, 1] };
const STEPS = 256;

/** @typedef {"buy" | "sell" | "none" | "match" | "proximity" | "text" | "text-soft" | "line"
 *   | "line-strong" | "panel" | "ground" | "accent"} Token */
/** @type {readonly Token[]} */
const TOKENS = Object.freeze([
  "buy",
  "sell",
  "none",
  "match",
  "proximity",
  "text",
  "text-soft",
  "line",
  "line-strong",
  "panel",
  "ground",
  "accent",
]);

/**
 * The colours that hold at present.
 * @typedef {object} Theme
 * @property {boolean} dark
 * @property {Record<Token, string>} css
 * @property {Record<Token, Rgb>} rgb
 * @property {Uint8Array} scale 256 colours from the least number to the greatest, 3 bytes each
 */

/**
 * Return the colours as the style sheet has them now.
 * @param {Element} element
 * @returns {Theme}
 */
export function readTheme(element) {
  const style = getComputedStyle(element);
  const css = /** @type {Record<Token, string>} */ ({});
  const rgb = /** @type {Record<Token, Rgb>} */ ({});
  for (const token of TOKENS) {
    css[token] = style.getPropertyValue(`--${token}`).trim();
    rgb[token] = hexadecimal(css[token].replace("#", ""));
  }
  const [r, g, b] = rgb.panel;
  const dark = r + g + b < 3 * 128;
  return { dark, css, rgb, scale: scaleOf(dark ? PART.dark : PART.light) };
}

/**
 * Be told when the colours change with the system's light and dark.
 * @param {() => void} follower
 * @returns {() => void} ends it
 */
export function followTheme(follower) {
  const query = matchMedia("(prefers-color-scheme: dark)");
  query.addEventListener("change", follower);
  return () => query.removeEventListener("change", follower);
}

/** @param {number[]} part */
function scaleOf([from, to]) {
  const scale = new Uint8Array(3 * STEPS);
  for (let step = 0; step < STEPS; step++) {
    const place = (from + ((to - from) * step) / (STEPS - 1)) * (VIRIDIS.length - 1);
    const below = Math.min(VIRIDIS.length - 2, Math.floor(place));
    for (let part = 0; part < 3; part++) {
      const [one, next] = [VIRIDIS[below][part], VIRIDIS[below + 1][part]];
      scale[3 * step + part] = Math.round(one + (next - one) * (place - below));
    }
  }
  return scale;
}

/** @param {string} digits @returns {Rgb} */
function hexadecimal(digits) {
  const whole = digits.length === 3 ? digits.replace(/./g, "$&$&") : digits;
  const value = Number.parseInt(whole, 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}
