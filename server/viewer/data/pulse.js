// @ts-check
/**
 * Whether a connection still lives. One that is cut off where nobody tells looks like one on which
 * nothing happens: so it is asked for a sign, and given up where none comes.
 */

/** In this time a connection has opened, or it does not. */
const OPENING_MS = 15_000;
/** In this time a sign that was asked for has come. */
const ANSWER_MS = 5_000;

export class Pulse {
  /**
   * @param {() => void} ask ask the other end for a sign
   * @param {(reason: string) => void} giveUp
   */
  constructor(ask, giveUp) {
    this.ask = ask;
    this.giveUp = giveUp;
    this.isOpen = false;
    this.heardAt = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** A connection is being opened. */
  begin() {
    this.end();
    this.#expect(OPENING_MS);
  }

  /** It is open, or something has come on it. */
  beat() {
    this.isOpen = true;
    this.heardAt = performance.now();
    this.#expectNothing();
  }

  /** There is none any more. */
  end() {
    this.isOpen = false;
    this.#expectNothing();
  }

  /**
   * Ask for a sign, if nothing has come for longer than that.
   * @param {number} silence milliseconds
   */
  look(silence) {
    if (!this.isOpen || this.timer !== undefined) return;
    if (performance.now() - this.heardAt <= silence) return;
    this.ask();
    this.#expect(ANSWER_MS);
  }

  /** @param {number} wait */
  #expect(wait) {
    this.timer = setTimeout(() => {
      this.end();
      this.giveUp(`no answer in ${wait / 1000} s`);
    }, wait);
  }

  #expectNothing() {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}
