// @ts-check
/** Elements made in one call, and what is done with them everywhere. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element. Properties are set as they are; those with a dash are attributes.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, unknown>} [properties]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function element(name, properties = {}, ...children) {
  const made = /** @type {any} */ (document.createElement(name));
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role" || key === "for") made.setAttribute(key, String(value));
    else made[key] = value;
  }
  made.append(...children);
  return made;
}

/**
 * Make a small picture of one path.
 * @param {number} size of its square field, in its own units
 * @param {string} shape the path
 * @returns {SVGSVGElement} it is hidden from assistive technology: words stand beside it
 */
export function drawing(size, shape) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${size} ${size}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", shape);
  svg.append(path);
  return svg;
}

/**
 * Set an element's text if it is another one: what is equal costs no layout, and no screen reader
 * says it again.
 * @param {Element} element
 * @param {string} words
 */
export function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/**
 * Return one function that ends all of this.
 * @param {(() => void)[]} ends
 * @returns {() => void}
 */
export function together(...ends) {
  return () => {
    for (const end of ends) end();
  };
}
