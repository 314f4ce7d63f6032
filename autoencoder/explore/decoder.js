// The decoder of an autoencoder, in plain JavaScript: follows the steps that program.py wrote.
//
//   const decode = Decoder.make(program);   // the dict of Program.as_json
//   decode([0.3, -1.2]);                    // a code, labels beside it -> Float64Array of the data
//
// Every value is a batch of one, flat in row-major order (images: height, width, channels). Numbers
// are computed as doubles; weights are the float32 or float16 of the page, and the units of the data float64.

const Decoder = (() => {
  const { size, bytesOf, arrayOf, UNARY, BINARY } = Numbers;

  // ------------------------------------------------------------------ shapes
  // For each element of `to` the place of the one of `from` that is broadcast to it; null if all
  // stay where they are.
  function places(from, to) {
    const lead = to.length - from.length;
    if (lead === 0 && from.every((n, i) => n === to[i])) return null;
    const result = new Int32Array(size(to));
    const strides = new Array(to.length).fill(0);
    for (let axis = from.length - 1, stride = 1; axis >= 0; axis--) {
      strides[axis + lead] = from[axis] === 1 ? 0 : stride;
      stride *= from[axis];
    }
    for (let i = 0; i < result.length; i++) {
      for (let axis = to.length - 1, rest = i; axis >= 0; axis--) {
        result[i] += (rest % to[axis]) * strides[axis];
        rest = Math.floor(rest / to[axis]);
      }
    }
    return result;
  }

  // The two loops in which the time goes: four rows of weights at once, for each number is read once.

  // out[to + r] += a[i..] . b[row r..], over n numbers, for `rows` rows of b from j on, `step` apart.
  function dots(a, i, n, b, j, rows, step, out, to) {
    let r = 0;
    for (; r + 3 < rows; r += 4) {
      let [j0, s, t, u, v] = [j + r * step, 0, 0, 0, 0];
      const [j1, j2, j3] = [j0 + step, j0 + 2 * step, j0 + 3 * step];
      for (let k = 0; k < n; k++) {
        const x = a[i + k];
        s += x * b[j0 + k];
        t += x * b[j1 + k];
        u += x * b[j2 + k];
        v += x * b[j3 + k];
      }
      out[to + r] += s;
      out[to + r + 1] += t;
      out[to + r + 2] += u;
      out[to + r + 3] += v;
    }
    for (; r < rows; r++) {
      let s = 0;
      for (let k = 0, j0 = j + r * step; k < n; k++) s += a[i + k] * b[j0 + k];
      out[to + r] += s;
    }
  }

  // out[to..] += a[i + r] b[row r..], over n numbers, for `rows` rows of b from j on, `step` apart.
  function addRows(a, i, rows, b, j, step, n, out, to) {
    let r = 0;
    for (; r + 3 < rows; r += 4) {
      const [s, t, u, v] = [a[i + r], a[i + r + 1], a[i + r + 2], a[i + r + 3]];
      if (s === 0 && t === 0 && u === 0 && v === 0) continue; // as many units of a relu are
      const j0 = j + r * step;
      const [j1, j2, j3] = [j0 + step, j0 + 2 * step, j0 + 3 * step];
      for (let k = 0; k < n; k++) {
        out[to + k] += s * b[j0 + k] + t * b[j1 + k] + u * b[j2 + k] + v * b[j3 + k];
      }
    }
    for (; r < rows; r++) {
      for (let k = 0, j0 = j + r * step; k < n; k++) out[to + k] += a[i + r] * b[j0 + k];
    }
  }

  // What a layer adds and bends in the end; b has one number for each channel, or is undefined.
  function finish(y, b, activation) {
    const bend = UNARY[activation];
    if (b) for (let i = 0, c = 0; i < y.length; i++, c = c + 1 === b.length ? 0 : c + 1) y[i] += b[c];
    if (activation !== "linear") for (let i = 0; i < y.length; i++) y[i] = bend(y[i]);
    return y;
  }

  // Calls visit(place of the output, place of the pixel, number of the tap) wherever a window of
  // the geometry meets a pixel and not the padding; places count pixels, not channels.
  function windows({ size: [h, w], kernel: [kh, kw], out: [p, q], stride, pads, dilation }, visit) {
    for (let i = 0; i < p; i++) for (let j = 0; j < q; j++) for (let a = 0; a < kh; a++) {
      const row = i * stride[0] - pads[0] + a * dilation[0];
      if (row < 0 || row >= h) continue;
      for (let b = 0; b < kw; b++) {
        const column = j * stride[1] - pads[1] + b * dilation[1];
        if (column >= 0 && column < w) visit(i * q + j, row * w + column, a * kw + b);
      }
    }
  }

  // ------------------------------------------------------------------ the steps
  // Each makes of a step and the shape of its result a function of its inputs, arrays all of them.
  const OPERATIONS = {
    reshape: () => (x) => x,

    gather({ places: at, fill }, shape, arrays) {
      const from = arrays[at];
      return (x) => Float64Array.from(from, (k) => (k < 0 ? fill : x[k]));
    },

    concatenate({ before }, shape) {
      return (...parts) => {
        const y = new Float64Array(size(shape));
        let at = 0;
        for (let k = 0; k < before; k++) for (const part of parts) {
          const n = part.length / before;
          for (let i = 0; i < n; i++) y[at++] = part[k * n + i];
        }
        return y;
      };
    },

    unary({ f, settings }) {
      const numbers = settings.map(Number);
      const bend = UNARY[f];
      return (x) => Float64Array.from(x, (v) => bend(v, ...numbers));
    },

    binary: (step, shape, arrays, shapes) => elementwise(BINARY[step.f], shape, shapes),
    where: (step, shape, arrays, shapes) => elementwise((c, a, b) => (c ? a : b), shape, shapes),

    // Sums and the like: the places of `to`, the shape with lengths of 1, are those of the results.
    reduce({ f, from, to }) {
      const at = places(to, from);
      const combine = { sum: (a, b) => a + b, min: Math.min }[f] || Math.max;
      const gathered = (x, start, combine, value = (v) => v) => {
        const y = new Float64Array(size(to)).fill(start);
        for (let i = 0; i < x.length; i++) {
          const k = at ? at[i] : i;
          y[k] = combine(y[k], value(x[i], k));
        }
        return y;
      };
      const start = { sum: 0, min: Infinity }[f] ?? -Infinity;
      if (f !== "logsumexp") return (x) => gathered(x, start, combine);
      return (x) => {
        const most = gathered(x, start, combine);
        const sums = gathered(x, 0, (a, b) => a + b, (v, k) => Math.exp(v - most[k]));
        return sums.map((sum, k) => Math.log(sum) + most[k]);
      };
    },

    // softmax and log_softmax, along the middle of three axes.
    along({ f, sizes: [outer, n, inner] }) {
      return (x) => {
        const y = new Float64Array(x.length);
        for (let o = 0; o < outer; o++) for (let i = 0; i < inner; i++) {
          const place = (k) => (o * n + k) * inner + i;
          let [most, sum] = [-Infinity, 0];
          for (let k = 0; k < n; k++) most = Math.max(most, x[place(k)]);
          for (let k = 0; k < n; k++) sum += Math.exp(x[place(k)] - most);
          for (let k = 0; k < n; k++) {
            const v = x[place(k)] - most;
            y[place(k)] = f === "softmax" ? Math.exp(v) / sum : v - Math.log(sum);
          }
        }
        return y;
      };
    },

    // (..., m, n) @ (..., n, p); leading axes are broadcast.
    matmul({ left, right, activation }, shape) {
      const [m, n, p] = [left.at(-2), left.at(-1), right.at(-1)];
      const leading = shape.slice(0, -2);
      const batches = size(leading);
      const [ofA, ofB] = [left, right].map((s) => places(s.slice(0, -2), leading));
      return (a, b, bias) => {
        const y = new Float64Array(batches * m * p);
        for (let k = 0; k < batches; k++) {
          const [A, B] = [(ofA ? ofA[k] : k) * m * n, (ofB ? ofB[k] : k) * n * p];
          for (let i = 0; i < m; i++) addRows(a, A + i * n, n, b, B, p, p, y, (k * m + i) * p);
        }
        return finish(y, bias, activation);
      };
    },

    // conv2d: weights (kernel height, kernel width, channels of a group, filters).
    conv(step, shape) {
      const filters = shape[3];
      return (x, w, bias) => {
        const channels = x.length / size(step.size);
        const [each, made] = [channels / step.groups, filters / step.groups];
        const y = new Float64Array(size(step.out) * filters);
        windows(step, (output, pixel, tap) => {
          for (let g = 0; g < step.groups; g++) {
            const [from, rows] = [tap * each * filters + g * made, pixel * channels + g * each];
            addRows(x, rows, each, w, from, filters, made, y, output * filters + g * made);
          }
        });
        return finish(y, bias, step.activation);
      };
    },

    // conv2d_transpose, its adjoint: the same weights, `out` is the size of what comes in.
    conv_transpose(step, shape) {
      const channels = shape[3];
      return (y, w, bias) => {
        const filters = y.length / size(step.out);
        const [each, made] = [channels / step.groups, filters / step.groups];
        const x = new Float64Array(size(step.size) * channels);
        windows(step, (input, pixel, tap) => {
          for (let g = 0; g < step.groups; g++) {
            const [from, given] = [tap * each * filters + g * made, input * filters + g * made];
            dots(y, given, made, w, from, each, filters, x, pixel * channels + g * each);
          }
        });
        return finish(x, bias, step.activation);
      };
    },

    max_pool: (step, shape) => pooled(step, shape, Math.max, -Infinity),
    pool_y: (step, shape) => pooled(step, shape, (a, b) => a + b, 0),

    // The adjoint of sums over windows; windows of `stride` pixels: upsampling.
    pool_x(step, shape) {
      const channels = shape[3];
      return (y) => {
        const x = new Float64Array(size(shape));
        windows(step, (input, pixel) => {
          for (let c = 0; c < channels; c++) x[pixel * channels + c] += y[input * channels + c];
        });
        return x;
      };
    },
  };

  function elementwise(f, shape, shapes) {
    const at = shapes.map((from) => places(from, shape));
    const count = size(shape);
    return (...inputs) => {
      const y = new Float64Array(count);
      for (let i = 0; i < count; i++) {
        y[i] = f(...inputs.map((x, k) => x[at[k] ? at[k][i] : i]));
      }
      return y;
    };
  }

  function pooled(step, shape, combine, start) {
    const channels = shape[3];
    return (x) => {
      const y = new Float64Array(size(shape)).fill(start);
      windows(step, (output, pixel) => {
        for (let c = 0; c < channels; c++) {
          const k = output * channels + c;
          y[k] = combine(y[k], x[pixel * channels + c]);
        }
      });
      return y;
    };
  }

  // ------------------------------------------------------------------ a program
  const MOST_DOUBLES = 1 << 20;

  function make({ shapes, steps, arrays: described, blob }) {
    const buffer = bytesOf(blob);
    const arrays = described.map((about) => arrayOf(buffer, about));
    // As doubles, what is computed with need not be converted each time it is met.
    const doubles = (k) => {
      const few = arrays[k] instanceof Float32Array && arrays[k].length <= MOST_DOUBLES;
      if (few) arrays[k] = Float64Array.from(arrays[k]);
      return arrays[k];
    };
    const run = steps.map((step, k) => {
      const given = step.in.map((v) => {
        if (typeof v === "number") return { shape: shapes[v] };
        if ("array" in v) return { shape: described[v.array].shape, data: doubles(v.array) };
        return { shape: [], data: Float64Array.of(Number(v.number)) };
      });
      const operation = OPERATIONS[step.op](step, shapes[k + 1], arrays, given.map((g) => g.shape));
      return (values) =>
        operation(...step.in.map((v, i) => (typeof v === "number" ? values[v] : given[i].data)));
    });
    return (code) => {
      const values = [Float64Array.from(code)];
      for (const step of run) values.push(step(values));
      return values.at(-1);
    };
  }

  return { make };
})();
