// @ts-check
/**
 * One timeline over everything recorded: a slider whose value is the moment shown. Drag it to go
 * anywhere; the wheel stretches it, sideways or with shift moves it, a double click shows all.
 */

import { element as make } from "../people/elements.js";
import { Redraw } from "../state/redraw.js";
import { marked, nearestMark } from "./events.js";
import { goBack } from "./navigate.js";
import { Palette } from "./palette.js";
import { restFor } from "./rest.js";
import { Surface } from "./surface.js";
import { BLEED, drawMoving, drawTimeline, LANES } from "./timeline-draw.js";
import { timelineCommand } from "./timeline-keys.js";
import { layOut, momentAt, pixelOf, positionOf } from "./timeline-layout.js";
import { TimelinePointer } from "./timeline-pointer.js";
import { momentText, tellMoment } from "./timeline-text.js";
import { TimelineView } from "./timeline-view.js";
import { Tip } from "./tip.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").Run} Run */
/** @typedef {import("./timeline-layout.js").Stretch} Stretch */

/** Between two looks of assistive technology at a cursor that moves by itself. */
const TOLD_MS = 1_000;
const MARK_WIDTH = 8;
const TIP_REACH = 5;
/** Dragged so far beyond the end of the current run, the cursor goes live. */
const LIVE_REACH = 4;

class Timeline {
  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.app = app;
    this.slider = make("div", { className: "timeline", role: "slider", tabIndex: 0 });
    this.slider.dataset.label = "timelineSlider";
    this.slider.setAttribute("aria-label", app.text.t("timelineSlider"));
    root.append(this.slider);
    this.view = new TimelineView();
    this.lower = new Surface(this.slider, "timeline-lower");
    this.upper = new Surface(this.slider, "timeline-upper");
    this.tip = new Tip(this.slider, "above");
    this.base = new Redraw(() => this.#drawBase());
    this.over = new Redraw(() => this.#drawOver());
    this.told = new Redraw(() => tellMoment(this.slider, app), TOLD_MS);
    this.seeking = new Redraw(() => this.#followWish());
    this.palette = new Palette(root, () => this.base.now());
    /** @type {Stretch[]} */
    this.stretches = [];
    /** @type {import("./events.js").Mark[]} */
    this.marks = [];
    /** @type {{run: Run, t: number, beyond: number} | null} where the pointer drags the cursor */
    this.wish = null;
    this.wasSeen = true;
    /** Where the cursor was before the last two presses, which are those of a double click. */
    this.before = [app.cursor.get(), app.cursor.get()];
    this.#listen();
  }

  #listen() {
    const { app, slider } = this;
    this.pointer = new TimelinePointer(slider, {
      hover: (x, y) => this.#hover(x, y),
      press: () => {
        this.before = [this.before[1], app.cursor.get()];
      },
      seek: (x) => {
        this.wish = momentAt(this.stretches, x);
        this.seeking.now();
      },
      stretch: (factor, x) => this.#stretch(factor, x),
      move: (pixels) => this.#look(() => this.view.move(pixels)),
      reset: () => this.#reset(),
    });
    slider.addEventListener("keydown", (event) => this.#key(event));
    this.resizing = new ResizeObserver(() => this.base.now());
    this.resizing.observe(slider);
    this.ends = [
      app.recording.follow((now, before) => {
        if (now.runs.length !== before.runs.length || now.events.size !== before.events.size) {
          this.base.now();
        } else this.base.soon();
      }),
      app.settings.followFields(["language"], () => {
        this.base.now();
        this.told.now();
      }),
      app.cursor.followFields(["run"], () => this.base.now()),
      app.cursor.followFields(["mode", "run", "t", "loop"], () => {
        this.over.now();
        this.told.soon();
      }),
      app.span.follow(() => this.over.now()),
      app.hovered.followFields(["t"], () => this.over.now()),
    ];
  }

  dispose() {
    for (const end of this.ends ?? []) end();
    this.resizing?.disconnect();
    for (const part of [this.base, this.over, this.told, this.seeking, this.palette]) {
      part.dispose();
    }
  }

  // ---- drawing --------------------------------------------------------------------------------

  #drawBase() {
    const { app, view } = this;
    const { clientWidth } = this.slider;
    const { runs, events } = app.recording.get();
    view.fit(clientWidth, positionOf(runs, null, null));
    for (const surface of [this.lower, this.upper]) {
      surface.resize(clientWidth + 2 * BLEED, LANES.height);
    }
    this.stretches = this.#layOut();
    const newest = this.stretches.at(-1);
    if (newest) this.base.restMs = restFor(1 / newest.x.factor, newest.run.tickRate);
    this.marks = this.stretches.flatMap(({ run, x }) => {
      if (x.end < 0 || x.start > clientWidth) return [];
      return marked(events.get(run.run) ?? [], (t) => x.at(t), MARK_WIDTH);
    });
    drawTimeline(this.lower.begin(), {
      stretches: this.stretches,
      marks: this.marks,
      width: clientWidth,
      run: app.cursor.get().run,
      missing: this.lower.hatching(this.palette.colors["line-strong"]),
      colors: this.palette.colors,
      language: app.text.language,
    });
    this.#drawOver();
  }

  #drawOver() {
    const { app } = this;
    const { mode, run, t, loop } = app.cursor.get();
    this.#keepSeen(pixelOf(this.stretches, run, t));
    drawMoving(this.upper.begin(), {
      shown: this.stretches.find((stretch) => stretch.run.run === run) ?? null,
      span: app.span.get(),
      loop,
      cursor: t,
      hovered: app.hovered.get().t,
      live: mode === "live",
      colors: this.palette.colors,
    });
  }

  /**
   * A cursor that was seen and moves on stays seen.
   * @param {number | null} pixel
   */
  #keepSeen(pixel) {
    const { width } = this.view;
    const isSeen = pixel === null || (pixel >= -1 && pixel <= width + 1);
    if (!isSeen && this.wasSeen && this.wish === null) {
      this.view.move(pixel - width / 2);
      this.base.now();
    } else this.wasSeen = isSeen;
  }

  // ---- wishes ---------------------------------------------------------------------------------

  /** @param {() => void} change of the view */
  #look(change) {
    change();
    this.wasSeen = false; // the user looks elsewhere: the cursor does not call back
    this.base.now();
  }

  /**
   * Stretch so that the moment at a pixel stays there: the gaps between runs do not stretch.
   * @param {number} factor
   * @param {number} pixel
   */
  #stretch(factor, pixel) {
    const at = momentAt(this.stretches, pixel);
    if (!at) return;
    this.#look(() => {
      this.view.stretch(factor);
      this.stretches = this.#layOut();
      this.view.move((pixelOf(this.stretches, at.run.run, at.t) ?? pixel) - pixel);
      this.stretches = this.#layOut();
    });
  }

  /** The clicks of a double click have moved the cursor: it goes back. */
  #reset() {
    this.wish = null;
    goBack(this.app, this.before[0]);
    this.#look(() => this.view.reset());
  }

  #layOut() {
    return layOut(this.app.recording.get().runs, this.view.whole, this.view.offset);
  }

  #followWish() {
    const { wish } = this;
    this.wish = null;
    if (!wish) return;
    if (wish.run.current && wish.beyond > LIVE_REACH) this.app.director.goLive();
    else this.app.director.seek(wish.run.run, wish.t);
  }

  /**
   * @param {number | null} x
   * @param {number} y
   */
  #hover(x, y) {
    const { app } = this;
    const at = x === null ? null : momentAt(this.stretches, x);
    const isShown = at !== null && at.run.run === app.cursor.get().run;
    app.hovered.set({ t: isShown ? at.t : null });
    const words = at && momentText(app.text, at, nearestMark(this.marks, x ?? 0, TIP_REACH));
    this.tip.show(words ?? "", x ?? 0, y);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const command = timelineCommand(event, this.app, {
      stretch: (factor) => this.#stretch(factor, this.#cursorPixel()),
      reset: () => this.#look(() => this.view.reset()),
    });
    if (!command) return;
    event.preventDefault();
    event.stopPropagation(); // the page has keys of its own
    command();
    this.told.now();
  }

  #cursorPixel() {
    const { run, t } = this.app.cursor.get();
    return pixelOf(this.stretches, run, t) ?? this.view.width / 2;
  }
}

/**
 * @param {HTMLElement} root
 * @param {App} app
 * @returns {{dispose(): void}}
 */
export function createTimeline(root, app) {
  return new Timeline(root, app);
}
