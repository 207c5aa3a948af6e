// @ts-check
/**
 * All agents with all features, in any order. Only the rows in sight are elements; between two
 * sorts, which come once a second while it plays, rows keep their place and their figures change.
 */

import { element } from "../people/elements.js";
import { paced } from "../state/paced.js";
import { Redraw } from "../state/redraw.js";
import { FEATURES } from "../state/settings.js";
import { ordered } from "./ordering.js";
import { createRows, ROW_HEIGHT } from "./rows.js";
import { selectAgent } from "./selecting.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("./ordering.js").Column} Column */

const SORT_EVERY_MS = 1_000;

/** @type {readonly Column[]} */
export const COLUMNS = Object.freeze([
  "agent_id",
  "dominant_side",
  ...FEATURES.filter((feature) => feature !== "agent_id"),
]);

/**
 * @param {HTMLElement} root
 * @param {App} app
 */
export function createTable(root, app) {
  const table = new Table(root, app);
  const update = () => table.update();
  const ends = [
    app.filtered.follow(update),
    app.settings.followFields(["selection"], () => table.draw()),
    app.compared.follow(() => table.draw()),
    app.text.follow(() => table.translate()),
  ];
  return {
    update,
    dispose() {
      for (const end of ends) end();
      table.dispose();
    },
  };
}

class Table {
  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.root = root;
    this.app = app;
    /** @type {{column: Column, descending: boolean}} */
    this.sorting = { column: "match_count", descending: true };
    /** @type {Float64Array} */
    this.ids = new Float64Array();
    this.active = 0;
    this.sortings = paced(SORT_EVERY_MS, () => this.sort());
    this.drawing = new Redraw(() => this.#draw());
    this.observer = new ResizeObserver(() => this.draw());
    this.search = element("input", {
      type: "search",
      inputMode: "numeric",
      "data-label": "searchAgents",
      placeholder: "…",
    });
    this.onlyShown = element("input", { type: "checkbox", checked: true, id: "only-shown" });
    this.count = element("output", { className: "soft" });
    this.heads = COLUMNS.map((column) => this.#head(column));
    this.head = element(
      "div",
      { role: "row", className: "row head", "aria-rowindex": "1" },
      ...this.heads,
    );
    this.rows = createRows(COLUMNS);
    this.space = element("div", { className: "space", role: "presentation" }, this.rows.root);
    this.grid = element(
      "div",
      {
        role: "grid",
        className: "grid",
        tabIndex: 0,
        "data-label": "table",
        "aria-multiselectable": "true",
        "aria-colcount": COLUMNS.length,
      },
      element("div", { role: "rowgroup", className: "heads" }, this.head),
      this.space,
    );
    this.space.setAttribute("role", "rowgroup");
    this.#listen();
    root.append(this.#bar(), this.grid);
  }

  /** Take what is shown now. Cost: a look at the rows in sight; a sort of all once a second. */
  update() {
    if (this.root.hidden || !this.app.filtered.get()) return;
    if (this.app.moment.get()?.jump || !this.app.cursor.get().playing) this.sortings.now();
    else {
      this.sortings.ask();
      this.draw();
    }
  }

  dispose() {
    this.sortings.end();
    this.drawing.dispose();
    this.observer.disconnect();
  }

  /** Sort anew, and draw. */
  sort() {
    const filtered = this.app.filtered.get();
    if (!filtered || this.root.hidden) return;
    const shown = this.onlyShown.checked ? filtered.nodes : null;
    const search = this.search.value.trim();
    this.ids = ordered(filtered.moment.frame, { ...this.sorting, shown, search });
    this.active = Math.min(this.active, Math.max(0, this.ids.length - 1));
    this.space.style.blockSize = `${this.ids.length * ROW_HEIGHT}px`;
    this.grid.setAttribute("aria-rowcount", String(this.ids.length + 1));
    const { nodes } = filtered.counts;
    this.count.textContent = this.app.text.t("rowsOf", { count: this.ids.length, nodes });
    this.draw();
  }

  /** Draw the rows in sight at the next picture. */
  draw() {
    if (!this.root.hidden) this.drawing.now();
  }

  #draw() {
    const moment = this.app.moment.get();
    if (!moment || this.root.hidden) return;
    const count = Math.ceil(this.grid.clientHeight / ROW_HEIGHT) + 1;
    // Rows that stood below the end of a list that has become shorter would keep it long.
    const last = Math.max(0, this.ids.length - count + 1);
    this.rows.draw({
      ids: this.ids,
      frame: moment.frame,
      before: this.app.compared.get().frame,
      selection: new Set(this.app.settings.get().selection),
      active: this.active,
      from: Math.min(Math.floor(this.grid.scrollTop / ROW_HEIGHT), last),
      count,
      text: this.app.text,
    });
    this.grid.setAttribute("aria-activedescendant", this.rows.nameOf(this.active));
  }

  /** Say everything in the language chosen. */
  translate() {
    COLUMNS.forEach((column, at) => {
      const button = /** @type {HTMLElement} */ (this.heads[at].firstElementChild);
      button.textContent = this.app.text.t(column);
      button.title = this.app.text.t(column);
    });
    this.#markSorting();
    this.update();
  }

  #bar() {
    return element(
      "div",
      { className: "table-bar" },
      this.search,
      element(
        "label",
        { for: "only-shown" },
        this.onlyShown,
        element("span", { "data-text": "onlyShown" }),
      ),
      this.count,
    );
  }

  /** @param {Column} column */
  #head(column) {
    const button = element("button", { type: "button", className: "quiet", tabIndex: -1 });
    button.addEventListener("click", () => this.#sortBy(column));
    return element("div", { role: "columnheader", className: "cell" }, button);
  }

  /** @param {Column} column */
  #sortBy(column) {
    const isSame = this.sorting.column === column;
    this.sorting = {
      column,
      descending: isSame ? !this.sorting.descending : column !== "agent_id",
    };
    this.grid.scrollTop = 0;
    this.active = 0;
    this.#markSorting();
    this.sort();
  }

  #markSorting() {
    COLUMNS.forEach((column, at) => {
      const isSorted = column === this.sorting.column;
      const direction = this.sorting.descending ? "descending" : "ascending";
      if (isSorted) this.heads[at].setAttribute("aria-sort", direction);
      else this.heads[at].removeAttribute("aria-sort");
    });
  }

  #listen() {
    this.search.addEventListener("input", () => this.sort());
    this.onlyShown.addEventListener("change", () => this.sort());
    this.grid.addEventListener("scroll", () => this.draw(), { passive: true });
    this.grid.addEventListener("keydown", (event) => this.#press(event));
    this.rows.root.addEventListener("click", (event) => this.#click(event));
    this.observer.observe(this.grid);
  }

  /** @param {MouseEvent} event */
  #click({ target, shiftKey, ctrlKey, metaKey }) {
    const row = target instanceof Element ? target.closest("[data-at]") : null;
    if (!(row instanceof HTMLElement)) return;
    this.active = Number(row.dataset.at);
    selectAgent(this.app, this.ids[this.active], shiftKey || ctrlKey || metaKey);
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    if (event.target !== this.grid) return;
    const page = Math.max(1, Math.floor(this.grid.clientHeight / ROW_HEIGHT) - 2);
    const last = this.ids.length - 1;
    /** @type {Record<string, number>} */
    const targets = {
      ArrowDown: this.active + 1,
      ArrowUp: this.active - 1,
      PageDown: this.active + page,
      PageUp: this.active - page,
      Home: 0,
      End: last,
    };
    if (event.key in targets) {
      event.preventDefault();
      this.#moveTo(Math.max(0, Math.min(last, targets[event.key])));
    } else if ((event.key === " " || event.key === "Enter") && this.ids.length) {
      event.preventDefault();
      selectAgent(this.app, this.ids[this.active], event.key === " ");
    } else if (/^\d$/.test(event.key)) {
      this.search.focus(); // and the digit goes into it
    }
  }

  /** @param {number} at */
  #moveTo(at) {
    this.active = at;
    const top = at * ROW_HEIGHT;
    const room = this.grid.clientHeight - 2 * ROW_HEIGHT;
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (top > this.grid.scrollTop + room) this.grid.scrollTop = top - room;
    this.draw();
  }
}
