// @ts-check
/** The region of time: the transport, and the timeline under it. It keeps the span with the cursor. */

import { followCursor } from "./follow.js";
import { createTimeline } from "./timeline.js";
import { createTransport } from "./transport.js";

/** @typedef {import("../types.js").App} App */

/**
 * @param {HTMLElement} root
 * @param {App} app
 * @returns {{dispose(): void}}
 */
export function createTime(root, app) {
  const end = followCursor(app);
  const transport = createTransport(root, app);
  const timeline = createTimeline(root, app);
  return {
    dispose() {
      end();
      transport.dispose();
      timeline.dispose();
    },
  };
}
