// @ts-check
/** Who draws: the graphics card where there is one, the processor where there is none. */

import { Painter } from "./painter.js";
import { SoftPainter } from "./softpainter.js";

/** How renderers are called that make do without a graphics card. */
const SOFT = /swiftshader|llvmpipe|softpipe|software|basic render/i;

/**
 * @param {OffscreenCanvas} canvas which has not been drawn into
 * @returns {Painter | SoftPainter}
 */
export function painterOf(canvas) {
  const gl = hasCard()
    ? canvas.getContext("webgl2", { antialias: false, powerPreference: "low-power" })
    : null;
  if (gl) return new Painter(canvas, gl);
  const pen = canvas.getContext("2d", { willReadFrequently: true }); // kept in memory, that is
  if (!pen) throw new Error("the browser has no context to draw into");
  return new SoftPainter(canvas, pen);
}

/** Ask by a canvas of its own: one that was asked for WebGL gives nothing else from then on. */
function hasCard() {
  const gl = new OffscreenCanvas(1, 1).getContext("webgl2");
  if (!gl) return false;
  const unmasked = gl.getExtension("WEBGL_debug_renderer_info");
  const name = gl.getParameter(unmasked ? unmasked.UNMASKED_RENDERER_WEBGL : gl.RENDERER);
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return !SOFT.test(String(name));
}
