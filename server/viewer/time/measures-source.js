// @ts-check
/**
 * The measures of the graph that charts show: what is here of a span, and the rest asked of the
 * camera, of which each answer takes a process. So nothing is asked unless it is shown, and not
 * twice; one answer at a time is waited for, with a rest after it; and what is recorded meanwhile is
 * asked for seldom.
 */

import { isSame, Measured, nextPoint, stepOf } from "../data/measured.js";
import { Failing } from "./failing.js";
import { everyFor, questionFor, requestFor, settledOf } from "./measures-request.js";
import { runOf } from "./runs.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../types.js").Course} Course */
/** @typedef {import("../types.js").MeasureKey} MeasureKey */
/** @typedef {import("../data/measured.js").Grid} Grid */
/** @typedef {import("./measures-request.js").Question} Question */
/** @typedef {import("./measures-request.js").Question} View what is shown, as it could be asked for */
/** @typedef {{run: string, from: number, to: number, points: number}} Wanted */

/** What a wheel or a few boxes have come to is waited for. */
const SETTLE_MS = 300;
/** From one answer to the next request. */
const REST_MS = 1_000;
/** Between two looks at what was recorded meanwhile. */
const REFRESH_MS = 10_000;

export class MeasureSource {
  /**
   * @param {App} app
   * @param {() => void} onChange something has come, or failed: look again
   */
  constructor(app, onChange) {
    this.app = app;
    this.onChange = onChange;
    this.measured = new Measured();
    this.failing = new Failing();
    /** @type {View | null} what is shown; null: nothing can be asked for it */
    this.view = null;
    /** @type {string | null} key of the words that say why nothing can be asked */
    this.why = null;
    /** @type {(Question & {abort: AbortController, last: number}) | null} it is on its way */
    this.asked = null;
    this.restUntil = Number.NEGATIVE_INFINITY;
    /** When what is shown became another thing, not only moved. */
    this.settledAt = Number.NEGATIVE_INFINITY;
    /** @type {{grid: Grid, from: number, at: number} | null} where what was recorded has ended */
    this.edge = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  dispose() {
    this.onChange = () => undefined;
    this.look(null, []);
  }

  /** Ask again now for what failed. */
  retry() {
    this.failing.end();
    this.#goOn();
  }

  /**
   * Say what is shown, and see to what is missing of it.
   * @param {Wanted | null} wanted
   * @param {MeasureKey[]} keys
   */
  look(wanted, keys) {
    const before = this.view;
    this.view = keys.length && wanted ? this.#viewOf(wanted, keys) : null;
    if (!isAlike(before, this.view)) this.settledAt = performance.now() + SETTLE_MS;
    if (before?.grid.run !== this.view?.grid.run) this.failing.end();
    this.#goOn();
  }

  /**
   * @param {MeasureKey} key
   * @returns {Course | null}
   */
  courseOf(key) {
    return this.view && this.measured.course(this.view.grid, key, this.view.section);
  }

  /**
   * Return the last value of a line at a tick that is not measured yet, for a while: of what is
   * recorded just now the page asks seldom.
   * @param {Course | null} course
   * @param {number} t
   * @returns {number} NaN: it is another tick than that
   */
  latest(course, t) {
    const { edge, view } = this;
    if (!course || !edge || !view?.known.current || !isSame(edge.grid, view.grid))
      return Number.NaN;
    const late = edge.from + (2 * REFRESH_MS * view.known.tickRate) / 1000;
    return t >= edge.from && t <= late ? course.last[course.last.length - 1] : Number.NaN;
  }

  /**
   * Return what there is to say of a measure: why it is not here.
   * @param {MeasureKey} key
   * @param {Course | null} course what is here of it
   * @returns {string} empty: nothing
   */
  noteOf(key, course) {
    const { text } = this.app;
    if (this.why) return text.t(this.why);
    const { view } = this;
    if (!view || !this.measured.missing(view.grid, key, view.section)) return "";
    if (this.failing.is) return text.t(this.failing.words, { reason: this.failing.reason });
    return course ? "" : text.t("measuresLoading");
  }

  // ---- what is shown --------------------------------------------------------------------------

  /**
   * @param {Wanted} wanted
   * @param {MeasureKey[]} keys
   * @returns {View | null}
   */
  #viewOf({ run, from, to, points }, keys) {
    const known = runOf(this.app, run);
    const isOff = Boolean(this.app.status.get().recordingOff);
    this.why = isOff ? "measuresUnrecorded" : "measuresNothing";
    if (!known?.isRecorded) return null;
    this.why = "measuresNothing";
    const { firstFrame, lastFrame, stride } = known;
    if (firstFrame === null || lastFrame === null) return null;
    const section = { from: Math.max(from, firstFrame), to: Math.min(to, lastFrame) };
    if (section.from > section.to) return null;
    this.why = null;
    const every = everyFor((to - from) / stride, points);
    return { grid: { run, stride, every }, section, keys, known };
  }

  // ---- asking ---------------------------------------------------------------------------------

  #goOn() {
    clearTimeout(this.timer);
    const { asked } = this;
    if (asked && this.#isOfUse(asked)) return;
    asked?.abort.abort();
    this.#end(asked);
    const question = this.view && questionFor(this.measured, this.view);
    if (!question) return;
    const wait = this.#dueAt(question) - performance.now();
    if (wait > 0) this.timer = setTimeout(() => this.#goOn(), wait);
    else this.#ask(question);
  }

  /** @param {Question} question */
  #isOfUse({ grid, section, keys }) {
    const { view } = this;
    if (!view || !isSame(grid, view.grid)) return false;
    if (section.from > view.section.to || section.to < view.section.from) return false;
    return keys.some((key) => view.keys.includes(key));
  }

  /** @param {Question} question */
  #dueAt({ grid, section }) {
    const { edge } = this;
    const isGrowth = edge && isSame(edge.grid, grid) && section.from >= edge.from;
    const fresh = isGrowth ? edge.at + REFRESH_MS : Number.NEGATIVE_INFINITY;
    return Math.max(fresh, this.restUntil, this.settledAt, this.failing.until);
  }

  /** @param {Question} question */
  async #ask(question) {
    const { grid, section } = question;
    const { keys, query } = requestFor(question.keys);
    const abort = new AbortController();
    const asked = { ...question, keys, abort, last: Number.NEGATIVE_INFINITY };
    this.asked = asked;
    const { run, every } = grid;
    const span = { run, from_t: section.from, to_t: section.to, every };
    try {
      const lines = this.app.server.lines("measures", { ...span, ...query }, abort.signal);
      for await (const line of lines) {
        if (this.asked !== asked) return;
        this.measured.add(grid, keys, line);
        asked.last = line.t;
        this.onChange();
      }
      if (this.asked === asked) this.#takeEnd(asked);
    } catch (error) {
      if (this.asked !== asked) return;
      this.failing.take(error);
      this.#end(asked);
    }
    this.onChange();
  }

  /** @param {Question & {last: number}} asked whose answer is whole */
  #takeEnd(asked) {
    const { grid, section, keys, known, last } = asked;
    const settled = settledOf(known, section);
    const isGrowing = settled < section.to;
    const to = isGrowing ? nextPoint(grid, settled) - stepOf(grid) - 1 : section.to;
    this.measured.answered(grid, keys, { from: section.from, to });
    this.failing.end();
    this.#end(asked);
    const from = Math.max(to + 1, nextPoint(grid, last));
    if (isGrowing) this.edge = { grid, from, at: performance.now() };
  }

  /** @param {(Question & {last: number}) | null} asked what has come of it stays */
  #end(asked) {
    if (!asked) return;
    const { grid, keys, section, last } = asked;
    const to = nextPoint(grid, last) - 1;
    if (to >= section.from) this.measured.answered(grid, keys, { from: section.from, to });
    this.asked = null;
    this.restUntil = performance.now() + REST_MS;
  }
}

/** @param {View | null} one @param {View | null} other whether nothing but their place differs */
function isAlike(one, other) {
  if (!one || !other) return one === other;
  return isSame(one.grid, other.grid) && one.keys.join() === other.keys.join();
}
