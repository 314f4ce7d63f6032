// The weight gradient of a convolution: an implicit matrix product, summed over pixels.
//
//   w[i, j, c, f] = sum over n, p, q of x[n, p s + i d - top, q s + j d - left, c] y[n, p, q, f]
//
// x (N, H, W, C), y (N, P, Q, F), w (kh, kw, C, F). A row is a weight (i, j, c), a column a channel
// f, and what is summed over (k) is a pixel (n, p, q): the transposed patch matrix times y.
//
// Tiling: see tile.cuh. A block takes one part of the pixels. One step is DEPTH of them, and is
// double-buffered: while one is multiplied the next comes into registers.
// Both operands lie in memory as the product wants them, [pixel][row] and [pixel][column]: nothing
// is turned round. A thread loads the same rows in every step, so its tap and channel are fixed;
// its pixels are found by multiplication instead of division (see `divide`).
// * WIDE=1 (C and F % 4 == 0, x, y and w at 16 bytes): loads and stores of 16 bytes. WIDE=0 takes
//   anything, one value at a time.
//
// w is small and the pixels are many, so blockIdx.z takes parts of `per` pixels, which are added in
// the end (`add_tiles`): of each tile and part `scratch` has TILE_M * TILE_N floats and `tickets`
// an integer. One part needs neither.
//
// Offsets must fit an int. A tap outside the image counts as 0 times y.
#define SWIZZLED 0
#include "last_block.cuh"
#include "tile.cuh"

#define PIECES_M (TILE_M / PIECE)
#define PIECES_N (TILE_N / PIECE)
#define LOADS_M (DEPTH * PIECES_M / THREADS)
#define LOADS_N (DEPTH * PIECES_N / THREADS)

struct Shape {
    int images, height, width, channels, rows, columns, filters;  // x and y
    int kernel_height, kernel_width, stride_y, stride_x, top, left, dilation_y, dilation_x;
    int image_factor, image_shift, row_factor, row_shift;  // see `divide`: rows * columns, columns
    int per;                                               // pixels of a part
};

// n / d for 0 <= n < 2^31 as the high half of n * factor, shifted: factor and shift from the host
// (T. Granlund and P. Montgomery, "Division by invariant integers using multiplication", 1994).
__device__ __forceinline__ int divide(int n, int factor, int shift) {
    return shift < 0 ? n : int(__umulhi((unsigned)n, (unsigned)factor) >> shift);
}

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
weight_gradient(const float* __restrict__ x, const float* __restrict__ y, float* __restrict__ w,
                float* scratch, int* tickets, const Shape s) {
    __shared__ __align__(16) float left[2][DEPTH][TILE_M + PAD];   // the patch matrix, transposed
    __shared__ __align__(16) float right[2][DEPTH][TILE_N + PAD];  // y
    __shared__ int arrived;
    const int thread = threadIdx.x, m0 = blockIdx.x * TILE_M, n0 = blockIdx.y * TILE_N;
    const int weights = s.kernel_height * s.kernel_width * s.channels;
    const int pixels = s.rows * s.columns;
    const int begin = blockIdx.z * s.per, end = min(s.images * pixels, begin + s.per);

    // What this thread loads in every step: one piece of weights, one of channels of y.
    const int piece_m = thread % PIECES_M * PIECE, step_m = thread / PIECES_M;
    const int piece_n = thread % PIECES_N * PIECE, step_n = thread / PIECES_N;
    const int m = m0 + piece_m, n = n0 + piece_n;
    const int tap = m / s.channels, channel = m % s.channels;
    const int down = tap / s.kernel_width * s.dilation_y - s.top;
    const int across = tap % s.kernel_width * s.dilation_x - s.left;

    float ahead_m[LOADS_M][PIECE], ahead_n[LOADS_N][PIECE];  // the next step, on its way
    auto fetch = [&](int k0) {
#pragma unroll
        for (int l = 0; l < LOADS_M; ++l) {
            const int k = k0 + step_m + l * (THREADS / PIECES_M);
            const int image = divide(k, s.image_factor, s.image_shift), a = k - image * pixels;
            const int p = divide(a, s.row_factor, s.row_shift), q = a - p * s.columns;
            const int row = p * s.stride_y + down, column = q * s.stride_x + across;
            const bool there = k < end && m < weights && (unsigned)row < (unsigned)s.height &&
                               (unsigned)column < (unsigned)s.width;
            const float* from =
                x + (((image * s.height + row) * s.width + column) * s.channels + channel);
            load_piece(ahead_m[l], from, there);
        }
#pragma unroll
        for (int l = 0; l < LOADS_N; ++l) {
            const int k = k0 + step_n + l * (THREADS / PIECES_N);
            const bool there = k < end && n < s.filters;
            load_piece(ahead_n[l], y + (k * s.filters + n), there);
        }
    };
    auto store = [&](int buffer) {
#pragma unroll
        for (int l = 0; l < LOADS_M; ++l) {
            float* to = &left[buffer][step_m + l * (THREADS / PIECES_M)][piece_m];
#pragma unroll
            for (int i = 0; i < PIECE; ++i) ahead_m[l][i] = operand(ahead_m[l][i]);
#if WIDE
            copy4(to, ahead_m[l]);
#else
            to[0] = ahead_m[l][0];
#endif
        }
#pragma unroll
        for (int l = 0; l < LOADS_N; ++l) {
            float* to = &right[buffer][step_n + l * (THREADS / PIECES_N)][piece_n];
#pragma unroll
            for (int i = 0; i < PIECE; ++i) ahead_n[l][i] = operand(ahead_n[l][i]);
#if WIDE
            copy4(to, ahead_n[l]);
#else
            to[0] = ahead_n[l][0];
#endif
        }
    };

    const Corner mine = corner(thread);
    Sums sum = {};
    fetch(begin);
    store(0);
    __syncthreads();
    for (int k = begin, buffer = 0; k < end; k += DEPTH, buffer ^= 1) {
        fetch(k + DEPTH);  // past the end: zeros, which nobody reads
        multiply(left[buffer], right[buffer], mine, sum);
        store(buffer ^ 1);  // all have passed the barrier after reading it
        __syncthreads();
    }

    const int first = (blockIdx.y * gridDim.x + blockIdx.x) * gridDim.z;  // part of this tile
    float* own = scratch + (size_t)first * (TILE_M * TILE_N);
    if (!add_tiles(sum, own, tickets + first, blockIdx.z, gridDim.z, thread, &arrived)) return;

#pragma unroll
    for (int e = 0; e < SQUARES_M * SQUARES_N * SIDE; ++e) {
        const int i = e / SIDE / SQUARES_N, j = e / SIDE % SQUARES_N, r = e % SIDE;
        const int row = m0 + mine.warp_m + mine.lane_m + i * APART_M + r;
        const int column = n0 + mine.warp_n + mine.lane_n + j * APART_N;
        float* out = w + ((size_t)row * s.filters + column);
        if (row >= weights || (WIDE && column >= s.filters)) continue;
        if (WIDE) TENSOR ? copy2(out, sum[i][j][r]) : copy4(out, sum[i][j][r]);
#pragma unroll
        for (int c = 0; c < SIDE; ++c)
            if (!WIDE && column + c < s.filters) out[c] = sum[i][j][r][c];
    }
}
