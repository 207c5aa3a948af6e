// @ts-check
/** Draws over the charts what changes with the pointer and the cursor, and is cheap to draw anew. */

/** @typedef {import("./charts-panels.js").Panel} Panel */
/** @typedef {import("./palette.js").Colors} Colors */

/**
 * @typedef {object} Overlay
 * @property {import("./scale.js").Scale} x ticks to pixels of a plot
 * @property {number | null} cursor tick that is shown
 * @property {number | null} hovered tick under the pointer
 * @property {{from: number, to: number} | null} brush ticks that are being chosen
 * @property {(key: import("../types.js").ChartKey) => number} figureOf what the pointer is at
 * @property {Colors} colors
 */

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Panel[]} panels
 * @param {Overlay} overlay
 */
export function drawOverlay(context, panels, overlay) {
  for (const panel of panels) {
    context.save();
    context.translate(panel.left, panel.top);
    if (overlay.brush) drawBrush(context, panel, overlay, overlay.brush);
    if (overlay.cursor !== null) drawCursor(context, panel, overlay, overlay.cursor);
    if (overlay.hovered !== null) drawCrosshair(context, panel, overlay, overlay.hovered);
    context.restore();
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Panel} panel
 * @param {Overlay} overlay
 * @param {{from: number, to: number}} brush
 */
function drawBrush(context, { height }, { x, colors }, { from, to }) {
  const left = x.at(Math.min(from, to));
  const width = Math.abs(x.at(to) - x.at(from));
  context.fillStyle = colors.accent;
  context.globalAlpha = 0.18;
  context.fillRect(left, 0, width, height);
  context.globalAlpha = 1;
  context.fillRect(left, 0, 1, height);
  context.fillRect(left + width - 1, 0, 1, height);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Panel} panel
 * @param {Overlay} overlay
 * @param {number} t
 */
function drawCursor(context, { width, height }, { x, colors }, t) {
  const at = x.at(t);
  if (at < -1 || at > width + 1) return;
  context.fillStyle = colors.text;
  context.fillRect(at - 0.75, 0, 1.5, height);
  context.beginPath();
  context.moveTo(at - 4, height + 4);
  context.lineTo(at + 4, height + 4);
  context.lineTo(at, height - 1);
  context.fill();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Panel} panel
 * @param {Overlay} overlay
 * @param {number} t
 */
function drawCrosshair(context, { key, width, height, y }, { x, colors, figureOf }, t) {
  const at = Math.round(x.at(t)) + 0.5;
  if (at < -1 || at > width + 1) return;
  context.strokeStyle = colors["line-strong"];
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(at, 0);
  context.lineTo(at, height);
  context.stroke();
  const value = figureOf(key);
  if (Number.isNaN(value)) return;
  context.fillStyle = colors.text;
  context.strokeStyle = colors.panel;
  context.lineWidth = 1.5;
  context.beginPath();
  context.arc(at, y.at(value), 3, 0, 2 * Math.PI);
  context.fill();
  context.stroke();
}
