"use strict";
// Numbers: read from the page's bytes, and the functions of one and two of them that layers use.

const Numbers = (() => {
  const size = (shape) => shape.reduce((a, b) => a * b, 1);

  // ------------------------------------------------------------------ bytes to numbers
  function bytesOf(text) {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
    return bytes.buffer;
  }

  // A float16 as a number: sign, 5 bits of exponent, 10 of fraction.
  function half(bits) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }

  function arrayOf(buffer, { kind, shape, at, scale }) {
    const count = size(shape);
    if (kind === "i4") return new Int32Array(buffer, at, count);
    if (kind === "f8") return new Float64Array(buffer, at, count);
    if (kind === "f4") return new Float32Array(buffer, at, count);
    return Float32Array.from(new Uint16Array(buffer, at, count), (bits) => half(bits) * scale);
  }

  // ------------------------------------------------------------------ functions of one number
  const NEAR = 0.5; // as in parts/likelihood.py: where formulas that divide by t lose digits
  const SLOPES = [1 / 24, -1 / 2880, 1 / 181440, -1 / 9676800, 1 / 479001600, -691 / 15692092416000];

  // The mean of the density on [0, 1] that is proportional to exp(x t).
  function expectedData(t) {
    if (Math.abs(t) >= NEAR) return 0.5 + 1 / (2 * Math.tanh(t / 2)) - 1 / t;
    let total = 0;
    for (let k = SLOPES.length - 1; k >= 0; k--) total = total * t * t + 2 * (k + 1) * SLOPES[k];
    return 0.5 + t * total;
  }

  const CHEBYSHEV = [ // of (1 + 2 z) exp(z^2) erfc(z), as in minigrad/activations.py
    1.1775789345674017, -0.004590054580646478, -0.08424913336651792, 0.05920993999819189,
    -0.026658668435305753, 0.009074997670705265, -0.002413163540417608, 0.0004907758365258086,
    -6.916973302501207e-5, 4.13902798607301e-6, 7.74038306619849e-7, -2.1886401049234397e-7,
    1.076499946567091e-8, 4.521959811218287e-9, -7.754400208831351e-10, -6.318088340886684e-11,
    2.86879501093067e-11, 1.9455868545777347e-13, -9.65469674843344e-13, 3.25254814814874e-14,
    3.3478119482868056e-14, -1.864562880419313e-15, -1.2507950530688648e-15,
  ];

  // The probability that a standard normal number is below x, by Clenshaw's rule.
  function normalCdf(x) {
    const z = Math.abs(x) * Math.SQRT1_2;
    const t = 1 - 7.5 / (z + 3.75);
    let [now, before] = [0, 0];
    for (let k = CHEBYSHEV.length - 1; k > 0; k--) [now, before] = [2 * t * now - before + CHEBYSHEV[k], now];
    const tail = (Math.exp(-z * z) * (t * now - before + CHEBYSHEV[0])) / (2 + 4 * z);
    return x < 0 ? tail : 1 - tail;
  }

  const limit = (x, low, high) => Math.min(Math.max(x, low), high);
  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  const UNARY = {
    linear: (x) => x,
    relu: (x) => (x > 0 ? x : 0),
    sigmoid,
    tanh: Math.tanh,
    negative: (x) => -x,
    exp: Math.exp,
    log: Math.log,
    sqrt: Math.sqrt,
    softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    abs: Math.abs,
    sign: Math.sign,
    sin: Math.sin,
    cos: Math.cos,
    log1p: Math.log1p,
    expm1: Math.expm1,
    leaky_relu: (x, slope = 0.01) => (x > 0 ? x : x * slope),
    elu: (x, alpha = 1) => (x > 0 ? x : alpha * Math.expm1(x)),
    hard_sigmoid: (x, slope = 1 / 6, offset = 0.5) => limit(x * slope + offset, 0, 1),
    clip: (x, low = -Infinity, high = Infinity) => limit(x, low, high),
    normal_cdf: normalCdf,
    expected_data: expectedData,
  };
  const BINARY = {
    add: (a, b) => a + b,
    subtract: (a, b) => a - b,
    multiply: (a, b) => a * b,
    divide: (a, b) => a / b,
    power: (a, b) => a ** b,
    maximum: Math.max,
    minimum: Math.min,
  };

  return { size, bytesOf, arrayOf, UNARY, BINARY };
})();
