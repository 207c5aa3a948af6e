// @ts-check
/** The structure: the plot with its counts, buttons and legend, and what the user does with it. */

import { element as make } from "../people/elements.js";
import { followTheme } from "./colors.js";
import { followGestures } from "./gestures.js";
import { Legend } from "./legend.js";
import { Notice } from "./notice.js";
import { enclosed, nearest } from "./picker.js";
import { select } from "./selection.js";
import { Stage } from "./stage.js";
import { Summary } from "./summary.js";
import { Tooltip } from "./tooltip.js";
import { viewButtons } from "./viewbuttons.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").Settings} Settings */

/** @type {(keyof Settings)[]} What places depend on, beside the moment and the filters. */
const PLACES = ["layout", "x", "y"];
/** @type {(keyof Settings)[]} */
const LOOKS = ["color", "size"];

/**
 * Show the structure.
 *
 * @param {HTMLElement} root
 * @param {App} app
 * @returns {{dispose: () => void, snapshot: () => Promise<HTMLCanvasElement | null>}} `snapshot`
 *   gives the plot as one picture; null where the browser does not draw it
 */
export function createStructure(root, app) {
  const notice = new Notice(app);
  const summary = new Summary(app);
  root.append(make("div", { className: "strip" }, summary.line), summary.words, summary.live);
  /** @type {Structure | null} */
  let view = new Structure(root, app, { notice, onUnable: withoutView });
  let end = () => {};

  function withoutView() {
    view?.dispose();
    view = null;
    notice.element.classList.add("alone");
    root.append(notice.element);
    end = app.text.follow(() => {
      notice.trouble = app.text.t("notDrawn");
      notice.explain();
    });
  }

  return {
    dispose() {
      end();
      view?.dispose();
      summary.dispose();
      root.replaceChildren();
    },
    snapshot: async () => (view ? view.stage.snapshot() : null),
  };
}

/** Joins the state, the stage and the gestures. */
class Structure {
  /**
   * @param {HTMLElement} root
   * @param {App} app
   * @param {{notice: Notice, onUnable: () => void}} given
   */
  constructor(root, app, { notice, onUnable }) {
    this.root = root;
    this.app = app;
    this.notice = notice;
    this.stage = new Stage(app, { onTrouble: (trouble) => this.#tell(trouble), onUnable });
    this.stage.element.dataset.label = "plot";
    this.stage.element.setAttribute("aria-describedby", "structure-words");
    this.tooltip = new Tooltip(this.stage.element, app.text);
    this.legend = new Legend(app.text);
    this.lassoing = false;
    /** @type {{x: number, y: number} | null} where the pointer is, over the plot */
    this.pointer = null;
    this.moved = false;
    /** @type {number | null} agent whose figures the tooltip has */
    this.told = null;
    /** @type {import("../types.js").Filtered | null} */
    this.toldOf = null;
    this.buttons = viewButtons({
      zoom: (factor) => this.#zoomMiddle(factor),
      reset: () => this.#look(() => this.stage.lens.reset()),
      lasso: (drawing) => {
        this.lassoing = drawing;
      },
    });
    root.querySelector(".strip")?.append(this.buttons);
    root.append(this.stage.element, this.legend.element);
    this.stage.element.append(notice.element);
    this.stage.onDrawn = () => this.#afterPicture();
    this.ends = this.#follow();
  }

  dispose() {
    for (const end of this.ends) end();
    this.stage.dispose();
    for (const element of [this.buttons, this.stage.element, this.legend.element]) element.remove();
  }

  #follow() {
    const { app, stage } = this;
    const observer = new ResizeObserver(() => stage.resize());
    observer.observe(stage.element);
    return [
      () => observer.disconnect(),
      followTheme(() => stage.repaint()),
      followGestures(stage.element, this.#meanings()),
      app.text.keep(this.root),
      app.text.follow(() => this.notice.explain()),
      app.text.follow(() => stage.need("axes")),
      app.filtered.follow(() => this.#takeFiltered()),
      app.status.followFields(["replayError"], () => this.notice.explain()),
      app.settings.followFields(PLACES, () => stage.need("target")),
      app.settings.followFields(["trails"], () => stage.need("trails", "marks")),
      app.settings.followFields(LOOKS, () => stage.need("looks")),
      app.settings.follow((now, before) => this.#takeSelection(now.selection, before.selection)),
      app.hovered.followFields(["agent"], () => stage.need("stress", "marks")),
    ];
  }

  /** @returns {import("./gestures.js").Meanings} */
  #meanings() {
    const { stage } = this;
    const { lens } = stage;
    return {
      pan: (dx, dy) => this.#look(() => lens.panBy(dx, dy)),
      zoom: (x, y, factor) => this.#look(() => lens.zoomAt(x, y, factor, axisAt(lens, x, y))),
      zoomMiddle: (factor) => this.#zoomMiddle(factor),
      reset: () => this.#look(() => lens.reset()),
      hover: (x, y) => this.#point({ x, y }),
      leave: () => this.#point(null),
      click: (x, y, more) => this.#click(x, y, more),
      lasso: (line, done, more) => this.#lasso(line, done, more),
      escape: () => this.app.settings.set({ selection: [] }),
      drawing: () => this.lassoing,
    };
  }

  /** @param {number} factor */
  #zoomMiddle(factor) {
    const { lens } = this.stage;
    const { left, top, width, height } = lens.plot;
    this.#look(() => lens.zoomAt(left + width / 2, top + height / 2, factor));
  }

  /** @param {() => void} change of the lens */
  #look(change) {
    change();
    this.stage.need("axes", "marks");
  }

  /** @param {{x: number, y: number} | null} pointer */
  #point(pointer) {
    this.pointer = pointer;
    this.moved = true;
    if (pointer) this.stage.need();
    else this.app.hovered.set({ agent: null });
  }

  /** @param {number} x @param {number} y */
  #agentAt(x, y) {
    const row = nearest(this.stage.standing, x, y);
    return row < 0 ? null : this.stage.scene.crowd.page.ids[row];
  }

  /** @param {number} x @param {number} y @param {boolean} more */
  #click(x, y, more) {
    const agent = this.#agentAt(x, y);
    const { selection } = this.app.settings.get();
    if (agent === null) {
      if (!more) this.app.settings.set({ selection: [] });
      return;
    }
    const others = selection.filter((known) => known !== agent);
    const added = others.length === selection.length;
    if (!more) this.#select([agent]);
    else this.#select(added ? [...others, agent] : others);
  }

  /** @param {[number, number][]} line @param {boolean} done @param {boolean} more */
  #lasso(line, done, more) {
    this.stage.lasso = done ? [] : line;
    this.stage.need("marks");
    this.#point(null);
    if (!done) return;
    const { ids } = this.stage.scene.crowd.page;
    const found = enclosed(this.stage.standing, line).map((row) => ids[row]);
    const kept = more ? this.app.settings.get().selection : [];
    this.#select([...new Set([...kept, ...found])]);
  }

  /** @param {number[]} agents */
  #select(agents) {
    const remark = select(this.app, agents); // a selection that has changed takes the last one away
    this.notice.remark = remark;
    this.notice.explain();
  }

  #takeFiltered() {
    this.stage.need("target");
    this.notice.explain();
  }

  /** @param {number[]} now @param {number[]} before */
  #takeSelection(now, before) {
    if (now === before) return;
    this.notice.remark = null;
    this.notice.explain();
    this.stage.need("stress", "trails", "marks");
    const added = now.filter((agent) => !before.includes(agent));
    const pixel = added.length === 1 ? this.stage.pixelOf(added[0]) : null;
    if (pixel && this.stage.lens.reveal(...pixel.place)) this.stage.need("axes");
  }

  /** @param {string | null} trouble */
  #tell(trouble) {
    this.notice.trouble = trouble;
    this.notice.explain();
  }

  #afterPicture() {
    const { scene, theme } = this.stage;
    const filtered = scene.filtered;
    if (!filtered) return;
    this.legend.tell(this.app.settings.get(), scene.looks, theme);
    this.notice.tooMany = scene.tooMany;
    this.notice.explain();
    if (this.moved && this.pointer) {
      const agent = this.#agentAt(this.pointer.x, this.pointer.y);
      this.stage.element.classList.toggle("over", agent !== null);
      this.app.hovered.set({ agent });
    }
    this.moved = false;
    this.#tellHovered(filtered);
  }

  /** @param {import("../types.js").Filtered} filtered */
  #tellHovered(filtered) {
    const { agent } = this.app.hovered.get();
    const pixel = this.pointer && agent !== null ? this.stage.pixelOf(agent) : null;
    if (!pixel) {
      this.tooltip.hide();
      this.told = null;
      return;
    }
    if (this.told !== agent || this.toldOf !== filtered) {
      this.tooltip.tell(filtered, pixel.row, this.app.settings.get());
      [this.told, this.toldOf] = [agent, filtered];
    }
    this.tooltip.place(pixel.x, pixel.y);
  }
}

/**
 * Beside the plot, the wheel zooms one axis only.
 * @param {import("./lens.js").Lens} lens
 * @param {number} x
 * @param {number} y
 * @returns {"both" | "x" | "y"}
 */
function axisAt(lens, x, y) {
  const { left, top, height } = lens.plot;
  if (lens.kind !== "axes") return "both";
  if (x < left) return "y";
  return y > top + height ? "x" : "both";
}
