// @ts-check
/**
 * Programs of the graphics card. Nodes and edges move on it: it is told where they come from and
 * where they go once a frame, and at each picture only how much of the way has been gone.
 */

/** Shapes by the number that nodes carry. */
export const SHAPES = Object.freeze({ none: 0, buy: 1, sell: 2 });

/** Of dashed edges: a dash with its gap in CSS pixels, and the share of it that is drawn. */
export const DASH = Object.freeze({ length: 6, drawn: 0.6 });

export const NODE_VERTEX = `#version 300 es
layout(location = 0) in vec4 way;    // from x, y, to x, y in the unit square
layout(location = 1) in vec4 paint;  // red, green, blue, strength
layout(location = 2) in vec4 form;   // opacity from, to, radius / 16, shape / 255
uniform vec4 lens;                   // unit square to clip space: scale, shift
uniform float share;                 // of the way, 0 to 1
uniform float grow;                  // device pixels of a pixel of radius
flat out vec4 color;
flat out vec3 figure;                // shape, radius, half of the point's side
void main() {
  float radius = form.z * (255.0 / 16.0) * grow;
  float shape = floor(form.w * 255.0 + 0.5);
  float opacity = mix(form.x, form.y, share) * paint.a;
  float half_side = (shape == 0.0 ? radius : radius * 1.21) + 0.5;
  color = vec4(paint.rgb * opacity, opacity);
  figure = vec3(shape, radius, half_side);
  gl_PointSize = 2.0 * half_side;
  gl_Position = opacity > 0.0
    ? vec4(mix(way.xy, way.zw, share) * lens.xy + lens.zw, 0.0, 1.0)
    : vec4(2.0, 2.0, 2.0, 1.0);
}`;

// Triangles have about the area of the circle of the same radius, and stand in the middle of their
// square. Squares are as small as they can be: without a graphics card each pixel costs.
export const NODE_FRAGMENT = `#version 300 es
precision mediump float;
flat in vec4 color;
flat in vec3 figure;
out vec4 pixel;
void main() {
  vec2 at = (gl_PointCoord * 2.0 - 1.0) * figure.z;
  float beyond;
  if (figure.x == 0.0) {
    beyond = length(at) - figure.y;
  } else {
    float inner = 0.7 * figure.y;
    float up = (figure.x == 1.0 ? -at.y : at.y) + 0.5 * inner;
    beyond = max(abs(at.x) * 0.866 + up * 0.5, -up) - inner;
  }
  pixel = color * clamp(0.5 - beyond, 0.0, 1.0); // cheaper than to discard what is outside
}`;

export const EDGE_VERTEX = `#version 300 es
layout(location = 0) in vec4 way;    // of this end
layout(location = 1) in vec4 other;  // of the other end
layout(location = 2) in vec4 paint;
layout(location = 3) in vec2 form;   // which end, dashed
uniform vec4 lens;
uniform vec2 pixels;                 // half of the picture's size in device pixels
uniform float share;
uniform float dash;                  // length of a dash and its gap in device pixels
flat out vec4 color;
out float along;                     // in dashes
void main() {
  vec2 here = mix(way.xy, way.zw, share) * lens.xy + lens.zw;
  vec2 there = mix(other.xy, other.zw, share) * lens.xy + lens.zw;
  color = vec4(paint.rgb * paint.a, paint.a);
  along = form.x * form.y * length((there - here) * pixels) / dash;
  gl_Position = vec4(here, 0.0, 1.0);
}`;

export const EDGE_FRAGMENT = `#version 300 es
precision mediump float;
flat in vec4 color;
in float along;
out vec4 pixel;
void main() {
  pixel = color * step(fract(along), ${DASH.drawn});
}`;
