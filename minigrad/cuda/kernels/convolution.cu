// Convolution and its adjoint in the images, with bias and activation: an implicit matrix product.
//
//   y[n, p, q, f] = act(b[f] + sum over i, j, c of x[n, p s + i d - top, q s + j d - left, c]
//                                                  w[i, j, c, f])
//
// Images are NHWC, kernels (kh, kw, C, F). Seen as a matrix product: a row is a pixel of what is
// produced, a column one of its channels, and what is summed over (k) is a tap (i, j) of the kernel
// with a channel of the image that is gathered. The patch matrix exists only in shared memory.
//
// TRANSPOSED=1 is the adjoint, transposed convolution: the kernel's last two axes change roles
// (they are read, not copied, the other way round), and tap i contributes to pixel h the gathered
// pixel (h + top - i d) / s, where that is an integer. All produced pixels with the same
// (h + top) mod s, a phase, meet the same taps, so within a phase the adjoint is an ordinary
// convolution, whose gathered pixel moves by whole steps from tap to tap: no tap is tried in vain.
// A phase that no tap meets gets act(b). blockIdx.z is the phase, of rows and columns.
//
// Tiling: see tile.cuh. The steps are double-buffered in shared memory: while one is multiplied the
// next is on its way into registers. blockIdx.x is the tile.
// * WIDE=1 (gathered channels % DEPTH == 0, produced % 4 == 0, x, w and y at 16 bytes): a step
//   stays in one tap, so whether a pixel lies in the image is one bit test for each row, and loads
//   take 16 bytes. Taps change faster than channels: the nine taps of a 3 x 3 kernel read nearly
//   the same pixels, which are then still in the first-level cache.
// * WIDE=0 takes anything: k runs through taps and channels without gaps, one value at a time.
// * Both tiles lie in shared memory as [k][row], so that a thread reads neighbouring rows at once.
//   What memory has along k must be turned round on its way there. Lines of 8 mod 32 words, and
//   row m at m XOR 8 (k / 4), keep all of that free of bank conflicts: the stores of pieces of four
//   k, the 16-byte loads, and the tensor cores' loads, which touch four k at once. (Not the stores
//   of WIDE=0, where sixteen k fall on four banks.)
//
// Filling the GPU. The first `whole` blocks make a tile each. The tiles that are left over would
// keep few multiprocessors busy, so of each the sum is cut into `parts`, one for a block, which are
// added in the end (`add_tiles`): `scratch` has TILE_M * TILE_N floats and `tickets` an integer for
// each of these blocks. Without such blocks neither is needed.
//
// Kernels may have up to 15 taps a side (one bit each, see `inside`); all offsets must fit an int.
// A tap outside the image counts as 0 times its weight, so weights that are not finite spread to
// the border as they do in the padded sum.
#ifndef TRANSPOSED
#define TRANSPOSED 0
#endif
#define SWIZZLED 1  // see above: for the sake of what is turned round
#include "last_block.cuh"
#include "tile.cuh"

#define PIECES (DEPTH / PIECE)  // of what one load takes, along k
#define ROW_STEP (THREADS / PIECES)  // rows that all threads together take at a time
#define MOST_TAPS 225  // 15 x 15
// The weights run along k in memory when they are transposed; value by value k is fixed per thread.
#define ALONG_K (TRANSPOSED || !WIDE)
#define LOADS_M (TILE_M * PIECES / THREADS)
#define LOADS_N (TILE_N * PIECES / THREADS)

struct Shape {
    int images, height, width, channels;  // of the gathered operand
    int rows, columns, filters;           // of what is produced
    int kernel_height, kernel_width, stride_y, stride_x, top, left, dilation_y, dilation_x;
    int tap_step_y, tap_step_x;           // stride / gcd(stride, dilation), for TRANSPOSED
    int whole, parts;                     // tiles made by one block, parts of each of the others
};

// One axis, seen from the produced pixels of one phase: pixel first + step * a, for a < size, meets
// in tap `tap + tap_step * u`, u < taps, the gathered pixel `origin + advance * a + move * u`.
struct Axis {
    int size, first, step, origin, advance, move, taps, tap, tap_step;
};

__device__ __forceinline__ Axis axis(int produced, int kernel, int stride, int pad, int dilation,
                                     int tap_step, int phase) {
#if TRANSPOSED
    Axis s;
    s.first = ((phase - pad) % stride + stride) % stride;
    s.step = stride;
    s.size = s.first < produced ? (produced - 1 - s.first) / stride + 1 : 0;
    s.tap = 0;
    while (s.tap < kernel && s.tap * dilation % stride != phase) ++s.tap;
    s.tap_step = tap_step;
    s.taps = s.tap < kernel ? (kernel - 1 - s.tap) / tap_step + 1 : 0;
    s.origin = (s.first + pad - s.tap * dilation) / stride;  // without remainder if there are taps
    s.advance = 1;
    s.move = -(dilation * tap_step / stride);
    return s;
#else
    return {produced, 0, 1, -pad, stride, dilation, kernel, 0, 1};
#endif
}

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
convolution(const float* __restrict__ x, const float* __restrict__ w, const float* __restrict__ b,
            float* __restrict__ y, int activation, float* scratch, int* tickets, const Shape s) {
    __shared__ __align__(16) float left[2][DEPTH][TILE_M + PAD];   // the patch matrix
    __shared__ __align__(16) float right[2][DEPTH][TILE_N + PAD];  // the weights
    __shared__ int produced[TILE_M];  // the pixel of y that each row is, -1 below the last row
    __shared__ int tap_moved[MOST_TAPS], tap_weights[MOST_TAPS];  // how far in x, where in w
    __shared__ unsigned tap_needs[MOST_TAPS];                     // the bits of `inside`
    __shared__ int arrived;
    const int thread = threadIdx.x, phase = blockIdx.z;
    const Axis v = axis(s.rows, s.kernel_height, s.stride_y, s.top, s.dilation_y, s.tap_step_y,
                        phase / s.stride_x);
    const Axis h = axis(s.columns, s.kernel_width, s.stride_x, s.left, s.dilation_x, s.tap_step_x,
                        phase % s.stride_x);
    const int pixels = v.size * h.size, all = s.images * pixels, taps = v.taps * h.taps;
    // The first blocks make a tile each, the others a part of the sum of one of the last tiles.
    const int block = blockIdx.x, extra = max(block - s.whole, 0), split = extra / s.parts;
    const int part = extra % s.parts, parts = block < s.whole ? 1 : s.parts;
    const int tile = min(block, s.whole) + split, tiles_n = (s.filters + TILE_N - 1) / TILE_N;
    const int m0 = tile / tiles_n * TILE_M, n0 = tile % tiles_n * TILE_N;
    if (m0 >= all) return;  // of the phases that are smaller than the first

    for (int i = thread; i < TILE_M; i += THREADS) {
        const int m = m0 + i, n = m / pixels, a = m % pixels;
        const int row = v.first + a / h.size * v.step, column = h.first + a % h.size * h.step;
        produced[i] = m < all ? (n * s.rows + row) * s.columns + column : -1;
    }
    for (int i = thread; i < taps; i += THREADS) {
        const int u = i / h.taps, t = i % h.taps;
        const int tap = (v.tap + u * v.tap_step) * s.kernel_width + h.tap + t * h.tap_step;
        tap_moved[i] = (u * v.move * s.width + t * h.move) * s.channels;
        tap_weights[i] = tap * s.channels * s.filters;
        tap_needs[i] = 1u << u | 1u << (16 + t);
    }

    // What this thread loads: along k always the same piece; here its rows of the patch matrix.
    const int piece = thread % PIECES * PIECE, row0 = thread / PIECES;
    int base[LOADS_M];         // offset of the pixel of each row, for the tap that does not move
    unsigned inside[LOADS_M];  // bit u: tap u meets an image row; bit 16 + u: an image column
#pragma unroll
    for (int l = 0; l < LOADS_M; ++l) {
        const int m = m0 + row0 + l * ROW_STEP, n = m / pixels, a = m % pixels;
        const int row = a / h.size * v.advance + v.origin;
        const int column = a % h.size * h.advance + h.origin;
        base[l] = ((n * s.height + row) * s.width + column) * s.channels;
        inside[l] = 0;
#pragma unroll 1
        for (int u = 0; m < all && u < max(v.taps, h.taps); ++u) {
            const bool there_y = u < v.taps && (unsigned)(row + u * v.move) < (unsigned)s.height;
            const bool there_x = u < h.taps && (unsigned)(column + u * h.move) < (unsigned)s.width;
            inside[l] |= (unsigned)there_y << u | (unsigned)there_x << (16 + u);
        }
    }

    float ahead_m[LOADS_M][PIECE], ahead_n[LOADS_N][PIECE];  // the next step, on its way
    const int steps = WIDE ? taps * (s.channels / DEPTH) : (taps * s.channels + DEPTH - 1) / DEPTH;
    const int begin = steps * part / parts, end = steps * (part + 1) / parts;
    // WIDE: the tap and the channel of the step; else both change from thread to thread.
    int next_tap = WIDE && taps ? begin % taps : 0;
    int k0 = WIDE && taps ? begin / taps * DEPTH : begin * DEPTH;
    auto k_of = [&](int l) { return ALONG_K ? piece : (thread + l * THREADS) / (TILE_N / 4); };
    auto column_of = [&](int l) {  // of this thread's piece l of the weights
        return ALONG_K ? row0 + l * ROW_STEP : (thread + l * THREADS) % (TILE_N / 4) * 4;
    };
    auto fetch = [&](int step) {
#if WIDE
        const int tap = next_tap, channel = k0;
        const bool within = step < end;
        if (++next_tap == taps) next_tap = 0, k0 += DEPTH;
#else
        const int tap = (k0 + piece) / s.channels, channel = (k0 + piece) % s.channels - piece;
        const bool within = step < end && tap < taps;
        k0 += DEPTH;
#endif
        const int moved = within ? tap_moved[tap] + channel + piece : 0;
        const int weights = within ? tap_weights[tap] : 0;
        const unsigned needs = within ? tap_needs[tap] : 1u << 15;  // a bit that is never set
#pragma unroll
        for (int l = 0; l < LOADS_M; ++l) {
            const bool there = (inside[l] & needs) == needs;
            load_piece(ahead_m[l], x + (base[l] + moved), there);
        }
#pragma unroll
        for (int l = 0; l < LOADS_N; ++l) {
            const int n = n0 + column_of(l), k = channel + k_of(l);
            const bool there = within && n < s.filters;
            const int at = TRANSPOSED ? n * s.channels + k : k * s.filters + n;
            load_piece(ahead_n[l], w + (weights + at), there);
        }
    };
    auto store = [&](int buffer) {
#pragma unroll
        for (int l = 0; l < LOADS_M; ++l)
#pragma unroll
            for (int i = 0; i < PIECE; ++i)
                left[buffer][piece + i][(row0 + l * ROW_STEP) ^ swizzle(piece)] =
                    operand(ahead_m[l][i]);
#pragma unroll
        for (int l = 0; l < LOADS_N; ++l) {
            const int k = k_of(l), n = column_of(l) ^ swizzle(k);
#pragma unroll
            for (int i = 0; i < PIECE; ++i) {
                ahead_n[l][i] = operand(ahead_n[l][i]);
                if (ALONG_K) right[buffer][k + i][n] = ahead_n[l][i];
            }
            if (!ALONG_K) copy4(&right[buffer][k][n], ahead_n[l]);
        }
    };

    const Corner mine = corner(thread);
    Sums sum = {};

    // In the last round zeros are stored, which nobody reads: cheaper than a second copy of the
    // loop, which is what compilers make of a condition here.
    __syncthreads();  // the table of taps
    fetch(begin);
    store(0);
    __syncthreads();
    for (int step = begin, buffer = 0; step < end; ++step, buffer ^= 1) {
        fetch(step + 1);
        multiply(left[buffer], right[buffer], mine, sum);
        store(buffer ^ 1);  // all have passed the barrier after reading it
        __syncthreads();
    }

    float* own = scratch + (size_t)split * parts * (TILE_M * TILE_N);  // of the parts of this tile
    if (!add_tiles(sum, own, tickets + split * parts, part, parts, thread, &arrived)) return;

    // Bias and relu at once; the other activations, rare and long, in a loop of their own that
    // reads again what the thread itself has written: unrolled they would be most of the code.
    const int n = n0 + mine.warp_n + mine.lane_n;
    float bias[SQUARES_N][SIDE];
#pragma unroll
    for (int e = 0; e < SQUARES_N * SIDE; ++e) {
        const int at = n + e / SIDE * APART_N + e % SIDE;
        bias[e / SIDE][e % SIDE] = b && at < s.filters ? __ldg(b + at) : 0.f;
    }
#pragma unroll
    for (int e = 0; e < SQUARES_M * SIDE; ++e) {
        const int pixel = produced[mine.warp_m + mine.lane_m + e / SIDE * APART_M + e % SIDE];
        if (pixel < 0) continue;
#pragma unroll
        for (int j = 0; j < SQUARES_N; ++j) {
            float *t = sum[e / SIDE][j][e % SIDE], *out = y + ((size_t)pixel * s.filters + n);
#pragma unroll
            for (int c = 0; c < SIDE; ++c) {
                t[c] += bias[j][c];
                if (activation == 1) t[c] = t[c] <= 0.f ? 0.f : t[c];  // of NaN: NaN, as NumPy
                if (!WIDE && n + j * APART_N + c < s.filters) out[j * APART_N + c] = t[c];
            }
            if (WIDE && n + j * APART_N < s.filters)
                TENSOR ? copy2(out + j * APART_N, t) : copy4(out + j * APART_N, t);
        }
    }
#pragma unroll 1
    for (int e = 0; e < FLOATS && activation > 1; ++e) {
        const int i = e / (SQUARES_N * SIDE), j = e % (SQUARES_N * SIDE);
        const int pixel = produced[mine.warp_m + mine.lane_m + i / SIDE * APART_M + i % SIDE];
        const int at = n + j / SIDE * APART_N + j % SIDE;
        if (pixel < 0 || at >= s.filters) continue;
        float* out = y + ((size_t)pixel * s.filters + at);
        *out = activation == 2 ? 1.f / (1.f + expf(-*out)) : tanhf(*out);
    }
}
