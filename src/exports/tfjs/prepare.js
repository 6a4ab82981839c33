"use strict";
// Pixels as the model was trained to see them: the same numbers that headstart makes of a picture.

// To the nearest whole number, halves to the even one.
function nearest(x) {
  const r = Math.round(x);
  return Math.abs(x % 1) === 0.5 && r % 2 ? r - 1 : r;
}

// Where a picture of w x h goes: resized to dw x dh, of which the part from (x, y) on, pw x ph pixels,
// comes to (left, top) of what the network sees.
function placeOf(w, h, W, H, resize) {
  const all = {dw: W, dh: H, x: 0, y: 0, pw: W, ph: H, left: 0, top: 0};
  if (resize.geometry === "squash") return all;
  if (resize.geometry === "letterbox") {
    const wide = w / h > W / H;
    const dw = wide ? W : Math.max(1, nearest(w / h * H)), dh = wide ? Math.max(1, nearest(h / w * W)) : H;
    return {...all, dw, dh, pw: dw, ph: dh, left: nearest((W - dw) / 2), top: nearest((H - dh) / 2)};
  }
  const rw = resize.width, rh = resize.height, ratio = Math.min(w / rw, h / rh);
  let dw = nearest(w / ratio), dh = nearest(h / ratio);
  if (rw === rh) { // the shorter edge exactly, the longer one rounded down
    dw = w < h ? rw : Math.floor(rw * w / h);
    dh = w < h ? Math.floor(rw * h / w) : rw;
  }
  const middle = rest => resize.geometry === "crop-torchvision" ? nearest(rest / 2) : Math.trunc(rest / 2);
  return {...all, dw, dh, x: middle(dw - W), y: middle(dh - H)};
}

// Of each of n positions from `from` on the first pixel that it is made of, and their weights in 22
// bits, as Pillow has them.
function pillowAxis(size, to, from, n, cubic) {
  const one = 1 << 22, scale = size / to, stretch = Math.max(scale, 1), taps = [];
  const filter = v => {
    const x = Math.abs(v);
    if (!cubic) return x < 1 ? 1 - x : 0;
    return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
  };
  for (let i = from; i < from + n; i++) {
    if (size === to) {
      taps.push({first: i, weights: [one]});
      continue;
    }
    const centre = (i + 0.5) * scale, support = (cubic ? 2 : 1) * stretch, weights = [];
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(size, Math.trunc(centre + support + 0.5));
    for (let t = first; t < end; t++) weights.push(filter((t - centre + 0.5) * (1 / stretch)));
    const sum = weights.reduce((a, b) => a + b, 0);
    taps.push({first, weights: Int32Array.from(weights, f => {
      const v = (sum ? f / sum : f) * one;
      return v < 0 ? v - 0.5 : v + 0.5;
    })});
  }
  return taps;
}

// One pass: lines of pixels, `along` numbers apart, become as many as there are taps.
function pillowPass(from, lines, line, along, taps, to, toLine, toAlong) {
  for (let l = 0; l < lines; l++)
    for (let i = 0; i < taps.length; i++) {
      const {first, weights} = taps[i], n = weights.length;
      for (let c = 0; c < 3; c++) {
        let sum = 1 << 21, at = l * line + first * along + c;
        for (let t = 0; t < n; t++, at += along) sum += from[at] * weights[t];
        to[l * toLine + i * toAlong + c] = Math.min(255, Math.max(0, sum >> 22));
      }
    }
}

function pillowResize(rgba, w, h, p, cubic) {
  const x = pillowAxis(w, p.dw, p.x, p.pw, cubic), y = pillowAxis(h, p.dh, p.y, p.ph, cubic);
  const out = new Uint8Array(p.pw * p.ph * 3);
  if (p.dw !== w && p.dh < h && h - p.dh > 2 * (w - p.dw)) { // down first
    const part = new Uint8Array(w * p.ph * 3);
    pillowPass(rgba, w, 4, 4 * w, y, part, 3, 3 * w);
    pillowPass(part, p.ph, 3 * w, 3, x, out, 3 * p.pw, 3);
  } else {
    const part = new Uint8Array(p.pw * h * 3);
    pillowPass(rgba, h, 4 * w, 4, x, part, 3 * p.pw, 3);
    pillowPass(part, p.pw, 3, 3 * p.pw, y, out, 3, 3 * p.pw);
  }
  return out;
}

// tf.image.resize, bilinear without antialiasing, in 32 bits.
function tensorflowResize(rgba, w, h, p) {
  const f = Math.fround, out = new Float32Array(p.pw * p.ph * 3);
  const taps = (size, to, from, n) => Array.from({length: n}, (_, i) => {
    const x = f(f(f(i + from + 0.5) * f(size / to)) - 0.5), low = Math.floor(x);
    return {low: Math.max(0, low), high: Math.min(size - 1, Math.ceil(x)), t: f(x - low)};
  });
  const blend = (a, b, t) => f(a + f(f(b - a) * t)), across = taps(w, p.dw, p.x, p.pw);
  taps(h, p.dh, p.y, p.ph).forEach((y, r) => across.forEach((x, i) => {
    for (let c = 0; c < 3; c++) {
      const at = (row, column) => rgba[(row * w + column) * 4 + c];
      out[(r * p.pw + i) * 3 + c] = blend(blend(at(y.low, x.low), at(y.low, x.high), x.t),
                                          blend(at(y.high, x.low), at(y.high, x.high), x.t), y.t);
    }
  }));
  return out;
}

// [height][width][3] of a picture's red, green, blue and alpha.
function prepare(rgba, w, h, {input, resize, scaling}) {
  const W = input.width, H = input.height, p = placeOf(w, h, W, H, resize);
  const part = resize.as === "tf.image.resize" ? tensorflowResize(rgba, w, h, p)
    : pillowResize(rgba, w, h, p, resize.interpolation.startsWith("bicubic"));
  const ground = scaling.mean.some(v => v) ? scaling.mean : [127.5, 127.5, 127.5];
  const out = new Float32Array(W * H * 3).map((_, i) => ground[i % 3]);
  for (let r = 0; r < p.ph; r++)
    out.set(part.subarray(r * p.pw * 3, (r + 1) * p.pw * 3), ((r + p.top) * W + p.left) * 3);
  return out;
}
