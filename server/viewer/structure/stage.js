// @ts-check
/**
 * The plot: three canvases, axes below, nodes and edges, marks above. Draws only when something has
 * changed or moves, once a picture of the browser.
 */

import { rowOf } from "../data/figures.js";
import { element as make } from "../people/elements.js";
import { drawAxes } from "./axes.js";
import { readTheme } from "./colors.js";
import { ForceLayout } from "./forcelayout.js";
import { Layers } from "./layers.js";
import { Lens } from "./lens.js";
import { drawMarks } from "./marks.js";
import { CHANGE, Motion } from "./motion.js";
import { Renderer } from "./renderer.js";
import { Scene } from "./scene.js";
import { trailsOf } from "./trails.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").Filtered} Filtered */

/** What has to be done before the next picture. @typedef {"target" | "looks" | "stress" | "trails" | "axes" | "marks"} Work */

/** Draws what the state says; knows nothing of gestures. */
export class Stage {
  /**
   * @param {App} app
   * @param {object} given
   * @param {(error: string | null) => void} given.onTrouble drawing fails, or is well again
   * @param {() => void} given.onUnable it cannot be drawn at all
   */
  constructor(app, { onTrouble, onUnable }) {
    this.app = app;
    this.tell = onTrouble;
    this.layers = new Layers();
    this.element = make("div", { className: "stage", tabIndex: 0, role: "application" });
    const { below, middle, above } = this.layers;
    this.element.append(below, middle, above);
    const renderer = new Renderer(middle, { onUnable, onLoss: (lost) => this.#takeLoss(lost) });
    this.renderer = renderer;
    this.lens = new Lens();
    this.motion = new Motion();
    this.scene = new Scene({ renderer, lens: this.lens, makeForce: () => this.#makeForce() });
    this.theme = readTheme(document.documentElement);
    /** @type {Set<Work>} */
    this.work = new Set();
    this.request = 0;
    this.share = 1;
    this.layout = "";
    /** The axes as they were drawn last. */
    this.axes = "";
    /** @type {[number, number][]} */
    this.lasso = [];
    /** @type {import("./trails.js").Trail[]} */
    this.trails = [];
    /** Called when a picture has been made. */
    this.onDrawn = () => {};
  }

  dispose() {
    cancelAnimationFrame(this.request);
    this.scene.dispose();
    this.renderer.dispose();
  }

  /** @param {...Work} work what has to be done anew */
  need(...work) {
    for (const one of work) this.work.add(one);
    if (!this.request) this.request = requestAnimationFrame((now) => this.#picture(now));
  }

  /** The size of the stage has changed. */
  resize() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width || !height) return;
    this.lens.resize(width, height);
    this.renderer.resize(width, height, this.layers.resize(width, height));
    this.need("axes", "marks");
  }

  /** Light or dark has changed. */
  repaint() {
    this.theme = readTheme(document.documentElement);
    this.need("looks", "axes", "marks");
  }

  /** Agents the user looks at; the one under the pointer last. @returns {number[]} */
  get inFocus() {
    const { selection } = this.app.settings.get();
    const { agent } = this.app.hovered.get();
    return agent === null || selection.includes(agent) ? selection : [...selection, agent];
  }

  /** Where an agent is at present, in pixels; null if it is not shown. @param {number} agent */
  pixelOf(agent) {
    const { filtered } = this.scene;
    const row = filtered ? rowOf(filtered.moment.frame, agent) : -1;
    if (row < 0 || !this.scene.crowd.shows(row)) return null;
    const [u, v] = this.scene.crowd.placeOf(row, this.share);
    const { scaleX, shiftX, scaleY, shiftY } = this.lens.factors;
    const [x, y] = [u * scaleX + shiftX, v * scaleY + shiftY];
    return Number.isNaN(x + y)
      ? null
      : { row, x, y, place: /** @type {[number, number]} */ ([u, v]) };
  }

  /** For picking: the nodes as the last picture had them. */
  get standing() {
    return { crowd: this.scene.crowd, lens: this.lens, share: this.share };
  }

  /** The plot as one picture. @returns {Promise<HTMLCanvasElement>} */
  async snapshot() {
    return this.layers.together(this.theme.css.ground, await this.renderer.picture());
  }

  /** @param {number} now */
  #picture(now) {
    this.request = 0;
    const filtered = this.app.filtered.get();
    if (!filtered || !this.lens.width) return; // what has to be done is done when there is a size
    const work = new Set(this.work);
    this.work.clear();
    const before = this.share;
    this.share = this.motion.share(now);
    if (work.has("target")) this.#retarget(filtered, now, work);
    this.#paint(work);
    if (work.has("trails")) this.trails = this.#trails(filtered);
    this.share = this.motion.share(now);
    const moving = this.share < 1 || before < 1;
    this.scene.draw(this.share);
    if (work.has("axes") || (moving && this.#axesMove())) this.#drawAxes();
    if (work.has("marks") || (moving && this.scene.focus.any)) this.#drawMarks();
    this.onDrawn();
    if (this.share < 1) this.need();
  }

  /** @param {Filtered} filtered @param {number} now @param {Set<Work>} work */
  #retarget(filtered, now, work) {
    const settings = this.app.settings.get();
    const shown = this.scene.filtered;
    this.scene.retarget(filtered, settings, this.share);
    const layout = `${settings.layout} ${settings.x} ${settings.y}`;
    const other = layout !== this.layout;
    this.layout = layout;
    this.#begin({
      fresh: filtered.moment !== shown?.moment,
      other,
      jump: filtered.moment.jump,
      now,
    });
    for (const one of /** @type {Work[]} */ (["looks", "trails", "marks"])) work.add(one);
    const axes = `${this.lens.kind} ${this.scene.axes.key}`;
    if (axes !== this.axes) work.add("axes");
    this.axes = axes;
  }

  /** @param {{fresh: boolean, other: boolean, jump: boolean, now: number}} change */
  #begin({ fresh, other, jump, now }) {
    if (fresh) {
      const flow = this.motion.flow(now);
      this.motion.begin(now, jump ? 0 : flow);
    } else {
      this.motion.begin(now, other ? CHANGE.layout : CHANGE.filter, other);
    }
    if (this.motion.duration <= 0) this.scene.crowd.settle();
  }

  /** @param {Set<Work>} work */
  #paint(work) {
    const settings = this.app.settings.get();
    if (work.has("looks")) this.scene.paint(settings, this.theme, this.inFocus);
    else if (work.has("stress")) this.scene.stress(this.theme, this.inFocus);
  }

  #axesMove() {
    const { x, y } = this.scene.axes;
    return x.moving || y.moving;
  }

  #drawAxes() {
    const pen = this.layers.axes;
    pen.clearRect(0, 0, this.lens.width, this.lens.height);
    const { lens, theme, share } = this;
    if (lens.kind === "axes") {
      drawAxes(pen, { lens, theme, share, layout: this.scene.axes, text: this.app.text });
    } else {
      pen.fillStyle = theme.css.panel;
      pen.fillRect(0, 0, lens.width, lens.height);
    }
  }

  #drawMarks() {
    const pen = this.layers.marks;
    pen.clearRect(0, 0, this.lens.width, this.lens.height);
    const { lens, theme, share, lasso } = this;
    const { x, y } = this.scene.axes;
    drawMarks(pen, {
      lens,
      theme,
      share,
      lasso,
      rings: this.#rings(),
      trails: lens.kind === "axes" ? this.trails : [],
      ways: { x: x.at(share), y: y.at(share) },
    });
  }

  #rings() {
    const { selection } = this.app.settings.get();
    return this.inFocus.flatMap((agent) => {
      const pixel = this.pixelOf(agent);
      if (!pixel) return [];
      const radius = this.scene.radiusOf(pixel.row);
      return [{ agent, place: pixel.place, radius, selected: selection.includes(agent) }];
    });
  }

  /** @param {Filtered} filtered */
  #trails({ moment }) {
    const { trails, layout, selection, x, y } = this.app.settings.get();
    if (!trails || layout !== "axes") return [];
    return trailsOf(this.app.moments, moment, selection, { x, y });
  }

  #makeForce() {
    return new ForceLayout({
      onLaid: () => this.need("target"),
      onError: (reason) => this.tell(this.app.text.t("forceFailed", { reason })),
      still: () => this.motion.still,
    });
  }

  /** The graphics card may be taken away at any time, and come back. @param {boolean} lost */
  #takeLoss(lost) {
    this.tell(lost ? this.app.text.t("graphicsLost") : null);
    if (!lost) this.need("looks");
  }
}
