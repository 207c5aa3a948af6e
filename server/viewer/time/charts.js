// @ts-check
/**
 * Charts of the market over the visible span, small multiples that share one axis of time, one
 * crosshair and one cursor.
 *
 * There are two canvases. The lower one has what changes with the data, the upper one what changes
 * with the pointer and the cursor. What comes live is drawn ten times a second at most, what the
 * user does with the next frame of the screen. uPlot was tried in place of the lower canvas: it takes
 * three times as long for the same seven pictures, and adds a fifth to what the page may weigh.
 */

import { element as make, say } from "../people/elements.js";
import { numberText } from "../people/numbers.js";
import { Redraw } from "../state/redraw.js";
import { CHARTS } from "../state/settings.js";
import { drawCharts } from "./charts-draw.js";
import { ChartsHead } from "./charts-head.js";
import { chartsCommand } from "./charts-keys.js";
import { drawOverlay } from "./charts-overlay.js";
import { Panels } from "./charts-panels.js";
import { ChartPointer } from "./charts-pointer.js";
import { Courses } from "./courses.js";
import { eventText } from "./event-text.js";
import { eventsBetween, marked, nearestMark } from "./events.js";
import { followAgain, limitsOf } from "./follow.js";
import { goBack, moveBy, showSection, zoomBy } from "./navigate.js";
import { Palette } from "./palette.js";
import { restFor } from "./rest.js";
import { runOf } from "./runs.js";
import { Scale } from "./scale.js";
import { Surface } from "./surface.js";
import { Tip } from "./tip.js";
import { frameWith } from "./transport-events.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").ChartKey} ChartKey */
/** @typedef {import("../types.js").Cursor} Cursor */
/** @typedef {import("./events.js").Mark} Mark */

/** Points of a chart: twice as many, those beside the span, are asked for at once, and given. */
const MOST_POINTS = 990;
/** Events whose marks would be nearer to each other are one mark. */
const MARK_WIDTH = 7;
const TIP_REACH = 6;

class Charts {
  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.app = app;
    this.base = new Redraw(() => this.#drawBase());
    this.over = new Redraw(() => this.#drawOver());
    this.courses = new Courses(app, this.base);
    this.head = new ChartsHead(root, app, {
      zoom: (factor) => zoomBy(app, factor, null),
      follow: () => followAgain(app),
      retry: () => this.courses.retry(),
    });
    this.grid = make("div", {
      className: "charts-grid",
      tabIndex: 0,
      role: "group",
      "data-label": "chartsGrid",
      "aria-label": app.text.t("chartsGrid"),
    });
    /** Says what the keys have come to. */
    this.spoken = make("p", { className: "visually-hidden", "aria-live": "polite" });
    root.append(this.grid, this.spoken);
    this.lower = new Surface(this.grid, "charts-lower");
    this.panels = new Panels(this.grid, app);
    this.upper = new Surface(this.grid, "charts-upper");
    this.tip = new Tip(this.grid);
    this.palette = new Palette(root, () => this.base.now());
    this.scale = new Scale(0, 1, 0, 1);
    /** @type {Mark[]} */
    this.marks = [];
    /** @type {{t: number | null, x: number, y: number}} where the pointer is */
    this.pointer = { t: null, x: 0, y: 0 };
    /** @type {{from: number, to: number} | null} */
    this.brush = null;
    /** @type {Cursor} where the cursor was before the last click */
    this.before = app.cursor.get();
    this.#listen();
  }

  #listen() {
    const { app } = this;
    new ChartPointer(
      this.grid,
      (x, y) => this.panels.at(x, y),
      () => this.scale,
      {
        hover: (t, x, y) => this.#hover(t, x, y),
        brush: (brush) => {
          this.brush = brush;
          this.over.now();
        },
        choose: (from, to) => showSection(app, { from, to }),
        seek: (t) => this.#seek(t),
        zoom: (factor, about) => zoomBy(app, factor, about),
        move: (part) => moveBy(app, part),
        reset: () => this.#reset(),
      },
    );
    this.grid.addEventListener("keydown", (event) => this.#key(event));
    this.grid.addEventListener("blur", () => app.hovered.set({ t: null }));
    this.resizing = new ResizeObserver(() => this.#resize());
    this.resizing.observe(this.grid);
    this.ends = [
      app.settings.followFields(["charts", "language"], ({ charts }) => {
        this.panels.show(CHARTS.filter((key) => charts.includes(key)));
        this.#resize();
      }),
      app.span.follow((span) => (span.follow ? this.base.soon() : this.base.now())),
      app.cursor.followFields(["run", "t"], () => this.over.now()),
      app.cursor.followFields(["run", "loop"], () => this.base.now()),
      app.recording.follow(() => this.base.soon()),
      app.hovered.followFields(["t"], () => this.over.now()),
      app.series.follow(() => this.base.soon()),
    ];
  }

  dispose() {
    for (const end of this.ends ?? []) end();
    this.resizing?.disconnect();
    for (const part of [this.base, this.over, this.courses, this.head, this.palette])
      part.dispose();
  }

  // ---- drawing --------------------------------------------------------------------------------

  #resize() {
    const { clientWidth, clientHeight } = this.grid;
    this.lower.resize(clientWidth, clientHeight);
    this.upper.resize(clientWidth, clientHeight);
    this.panels.layOut(clientWidth, clientHeight);
    this.#rescale();
    this.base.now();
  }

  /** The pointer is where the picture says it is, not where the next one will. */
  #rescale() {
    const { from, to } = this.app.span.get();
    this.scale = new Scale(from, to, 0, this.panels.list[0]?.width ?? 1);
    return this.scale;
  }

  #drawBase() {
    const { app } = this;
    const context = this.lower.begin();
    const { run, loop } = app.cursor.get();
    const { from, to, end } = this.#rescale();
    const points = Math.min(MOST_POINTS, Math.max(2, Math.round(end)));
    this.base.restMs = restFor((to - from) / end, this.#rate());
    const keys = this.panels.list.map(({ key }) => key);
    this.courses.look(run === null ? null : { run, from, to, points }, keys);
    const recording = app.recording.get();
    const events = run === null ? [] : (recording.events.get(run) ?? []);
    const place = (/** @type {number} */ t) => this.scale.at(t);
    this.marks = marked(eventsBetween(events, from, to), place, MARK_WIDTH);
    this.#showTip(); // marks come and go under a pointer that stands still
    const holes = runOf(app, run)?.holes ?? [];
    drawCharts(context, this.panels.list, {
      courseOf: (key) => this.courses.courseOf(key),
      x: this.scale,
      holes: holes.filter((hole) => hole.to_t >= from && hole.from_t <= to),
      marks: this.marks,
      loop,
      missing: this.lower.hatching(this.palette.colors["line-strong"]),
      colors: this.palette.colors,
      language: app.text.language,
    });
    this.head.writeState(this.courses.metrics, this.courses.slice);
    this.panels.writeNotes((key) => this.courses.noteOf(key));
    this.#drawOver();
  }

  #drawOver() {
    const { app, courses } = this;
    const { t: hovered } = app.hovered.get();
    const cursor = app.cursor.get();
    drawOverlay(this.upper.begin(), this.panels.list, {
      x: this.scale,
      cursor: this.#cursorTick(),
      hovered,
      brush: this.brush,
      figureOf: (key) => courses.figure(key, hovered ?? Number.NaN),
      colors: this.palette.colors,
    });
    const atCursor = (/** @type {ChartKey} */ key) => courses.standing(key, cursor.t ?? Number.NaN);
    this.panels.write(hovered === null ? atCursor : (key) => courses.figure(key, hovered));
    this.head.writeSpan(app.span.get(), hovered, this.#rate());
  }

  /** Live, the cursor is a little ahead of what is drawn: it stands at the end. */
  #cursorTick() {
    const { mode, t } = this.app.cursor.get();
    const isAtEnd = mode === "live" && this.app.span.get().follow;
    return isAtEnd && t !== null ? Math.min(t, this.scale.to) : t;
  }

  /** @returns {number} ticks a second */
  #rate() {
    return runOf(this.app, this.app.cursor.get().run)?.tickRate ?? 100;
  }

  // ---- wishes ---------------------------------------------------------------------------------

  /**
   * @param {number | null} t
   * @param {number} x
   * @param {number} y
   */
  #hover(t, x, y) {
    this.pointer = { t, x, y };
    this.#showTip();
    const limits = limitsOf(this.app, this.app.cursor.get());
    const isThere = t !== null && t >= limits.from && t <= limits.to;
    this.app.hovered.set({ t: isThere ? t : null });
  }

  #showTip() {
    const { t, x, y } = this.pointer;
    const mark = t === null ? null : nearestMark(this.marks, this.scale.at(t), TIP_REACH);
    this.tip.show(mark ? eventText(this.app.text, mark) : "", x, y);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const command = chartsCommand(event, this.app);
    if (!command) return;
    event.preventDefault();
    event.stopPropagation(); // the page has keys of its own
    command();
    const { t } = this.app.hovered.get();
    say(this.spoken, t === null ? "" : this.#told(t));
  }

  /** @param {number} t */
  #told(t) {
    const { text } = this.app;
    const tick = text.t("timeTick", { t: numberText(text.language, t) });
    const figures = this.panels.texts((key) => this.courses.figure(key, t));
    return [tick, ...figures].join(", ");
  }

  /** @param {number} t */
  #seek(t) {
    const cursor = this.app.cursor.get();
    if (cursor.run === null) return;
    this.before = cursor;
    const mark = nearestMark(this.marks, this.scale.at(t), TIP_REACH / 2);
    const stride = runOf(this.app, cursor.run)?.stride ?? 1;
    const wanted = mark ? frameWith(mark.strongest.t, stride) : t;
    this.app.director.seek(cursor.run, wanted);
  }

  /** Of a double click the first click has moved the cursor: it goes back. */
  #reset() {
    goBack(this.app, this.before);
    followAgain(this.app);
  }
}

/**
 * @param {HTMLElement} root
 * @param {App} app
 * @returns {{dispose(): void}}
 */
export function createCharts(root, app) {
  return new Charts(root, app);
}
