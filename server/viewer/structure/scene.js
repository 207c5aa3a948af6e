// @ts-check
/** What is drawn: a frame's nodes and edges in their places and looks, on the way from the last. */

import { FeatureReader } from "../data/figures.js";
import { AxesLayout } from "./axeslayout.js";
import { BYTES, Crowd, FORM } from "./crowd.js";
import { Focus } from "./focus.js";
import { ForceLayout } from "./forcelayout.js";
import { Links } from "./links.js";
import { Looks } from "./looks.js";

/** @typedef {import("../types.js").Filtered} Filtered */
/** @typedef {import("../types.js").Settings} Settings */
/** @typedef {import("./lens.js").Lens} Lens */

/** Nodes grow with the zoom, but more slowly. */
const GROWTH = { power: 0.35, most: 3.5 };
/** Pixels of a plot in which nodes have their full size, and the least factor in a smaller one. */
const ROOM = { pixels: 300_000, least: 0.75 };

/** The picture, without its axes and marks. */
export class Scene {
  /**
   * @param {object} given
   * @param {import("./renderer.js").Renderer} given.renderer
   * @param {Lens} given.lens
   * @param {() => ForceLayout} given.makeForce called when it is first wanted
   */
  constructor({ renderer, lens, makeForce }) {
    this.renderer = renderer;
    this.lens = lens;
    this.makeForce = makeForce;
    this.reader = new FeatureReader();
    this.axes = new AxesLayout(this.reader);
    /** @type {ForceLayout | null} */
    this.force = null;
    this.crowd = new Crowd();
    this.links = new Links();
    this.looks = new Looks(this.reader);
    this.focus = new Focus();
    /** @type {Filtered | null} what is shown */
    this.filtered = null;
    /** Forces were asked for, and there are more nodes or edges than they take. */
    this.tooMany = false;
    this.room = { ids: new Float64Array(0), x: new Float32Array(0), y: new Float32Array(0) };
  }

  /** End what works behind the picture. */
  dispose() {
    this.force?.dispose();
  }

  /**
   * Let the nodes set out for where they belong; those that are new or go fade.
   * @param {Filtered} filtered
   * @param {Settings} settings
   * @param {number} share of the way to the places before that has been gone
   */
  retarget(filtered, settings, share) {
    this.filtered = filtered;
    const { frame } = filtered.moment;
    const targets = this.#targets(frame.nodes.count);
    targets.ids.set(frame.nodes.agent_id);
    this.tooMany = settings.layout === "force" && !ForceLayout.takes(filtered);
    const forced = settings.layout === "force" && !this.tooMany;
    this.#look(forced ? "square" : "axes");
    if (forced) {
      this.#placeByForce(filtered, targets);
    } else {
      this.force?.rest();
      this.axes.place(filtered, settings, targets, share);
    }
    this.crowd.retarget({ ...targets, shown: filtered.nodes }, share);
  }

  /**
   * Give nodes and edges their looks, and hand all to the graphics card.
   * @param {Settings} settings
   * @param {import("./colors.js").Theme} theme
   * @param {number[]} inFocus agents
   */
  paint(settings, theme, inFocus) {
    if (!this.filtered) return;
    this.looks.paint(this.filtered, settings, theme, this.crowd);
    this.stress(theme, inFocus);
  }

  /**
   * Put these agents in focus, and hand all to the graphics card.
   * @param {import("./colors.js").Theme} theme
   * @param {number[]} inFocus agents
   */
  stress(theme, inFocus) {
    if (!this.filtered) return;
    this.focus.look(this.filtered, inFocus);
    const order = this.looks.stress(this.crowd, this.focus);
    this.links.fill(this.filtered, this.crowd, this.focus, theme);
    this.renderer.setNodes(this.crowd.data, order);
    this.renderer.setEdges(this.links.data);
  }

  /** @param {number} share of the way that has been gone */
  draw(share) {
    this.renderer.draw({ lens: this.lens, share, grow: this.grow });
  }

  /** Factor of the radius by the zoom and the room. */
  get grow() {
    const { width, height } = this.lens.plot;
    const room = Math.sqrt((width * height) / ROOM.pixels);
    const zoomed = Math.min(GROWTH.most, Math.max(1, this.lens.zoom ** GROWTH.power));
    return zoomed * Math.min(1, Math.max(ROOM.least, room));
  }

  /** Radius of a node as it is drawn, in pixels. @param {number} row */
  radiusOf(row) {
    return (this.crowd.page.bytes[row * BYTES + FORM + 2] / 16) * this.grow;
  }

  /** @param {Filtered} filtered @param {{x: Float32Array, y: Float32Array}} targets */
  #placeByForce(filtered, targets) {
    this.force ??= this.makeForce();
    if (this.force.asked !== filtered) this.force.ask(filtered);
    this.force.place(filtered, targets);
  }

  /**
   * Go over to the lens of another layout; what is seen stays where it is on the screen.
   * @param {Lens["kind"]} kind
   */
  #look(kind) {
    if (this.lens.kind === kind) return;
    const before = this.lens.factors;
    this.lens.kind = kind;
    this.lens.reset();
    const after = this.lens.factors;
    this.crowd.remap((u, v) => [
      (u * before.scaleX + before.shiftX - after.shiftX) / after.scaleX,
      (v * before.scaleY + before.shiftY - after.shiftY) / after.scaleY,
    ]);
  }

  /** @param {number} count */
  #targets(count) {
    if (this.room.ids.length < count) {
      const room = Math.ceil(count * 1.25);
      this.room = {
        ids: new Float64Array(room),
        x: new Float32Array(room),
        y: new Float32Array(room),
      };
    }
    const { ids, x, y } = this.room;
    return { ids: ids.subarray(0, count), x: x.subarray(0, count), y: y.subarray(0, count) };
  }
}
