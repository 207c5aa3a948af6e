// @ts-check
/** Why measures were not answered, and when they are asked for again. */

import { RequestFailed } from "../data/server.js";

const FIRST_RETRY_MS = 5_000;
/** What takes somebody at the camera is not over soon. */
const LONGEST_RETRY_MS = 300_000;

const FAILED = "measuresFailed";
const BUSY = 503;
const NOT_INSTALLED = 501;
const WORDS = new Map([
  [BUSY, "measuresBusy"],
  [NOT_INSTALLED, "measuresMissing"],
]);

export class Failing {
  is = false;
  words = FAILED;
  reason = "";
  retryMs = FIRST_RETRY_MS;
  until = Number.NEGATIVE_INFINITY;

  /** It goes well. */
  end() {
    Object.assign(this, new Failing());
  }

  /** @param {unknown} error */
  take(error) {
    const status = error instanceof RequestFailed ? error.status : 0;
    this.is = true;
    this.words = WORDS.get(status) ?? FAILED;
    this.reason = error instanceof Error ? error.message : String(error);
    if (status === NOT_INSTALLED) this.retryMs = LONGEST_RETRY_MS;
    this.until = performance.now() + this.retryMs;
    this.retryMs = Math.min(2 * this.retryMs, LONGEST_RETRY_MS);
  }
}
