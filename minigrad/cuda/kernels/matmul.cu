// The matrix product with bias and activation: y = act(a @ b + bias), y (M, N) row-major.
//
// a is (M, K), or with `across_a` the transpose of an array (K, M); b is (K, N), or with `across_b`
// the transpose of an array (N, K). A transposed operand is read as it lies, never copied.
//
// A block makes a tile of 8 ROWS x 64 of y, a thread ROWS x 4 of it in registers. The contraction
// goes in steps of DEPTH = 16: while the products of one step are made from shared memory, the
// numbers of the next are already on their way into registers, and from there they go into the
// other half of shared memory, so that one barrier a step is enough. ROWS is an option for the
// sake of small M: for a batch of 50 a tile of 56 rows is 7/8 of the work of one of 64.
//
// Where y has few tiles and K is long (a batch of 50 against 32768 pixels) the contraction is split
// over blockIdx.y, so that all multiprocessors read b, each its own rows, and none reads it twice.
// Each block writes its part to `scratch`, and they are added in two levels (`add_parts`): of
// `group` blocks each, and of the groups.
//
// Needs: fewer than 2^31 elements in each array, less a tile; bit 0 of `wide` set only if a's rows
// start on 16 bytes (the address of a, and four times the row length as it lies, are multiples of
// 16), bit 1 the same for b, bit 2 for y; `depth`, the share of K of a part, a multiple of
// DEPTH.
#include "activation.cuh"
#include "last_block.cuh"

#ifndef ROWS
#define ROWS 8
#endif
#define COLUMNS 4
#define THREADS 128
#define DEPTH 16
#define TILE_M (8 * ROWS)
#define TILE_N (16 * COLUMNS)
#define SLOTS (ROWS > 4 ? 8 : 4)  // of a thread's rows in shared memory: read 16 bytes at a time
#define STRIDE_A (8 * SLOTS + 4)  // 4 more, so that a column is not all in one bank
#define STRIDE_B (TILE_N + 4)
#define QUADS_A (TILE_M * DEPTH / 4)  // groups of four numbers in a's part of a step
#define QUADS_B (TILE_N * DEPTH / 4)
#define LOADS_A ((QUADS_A + THREADS - 1) / THREADS)
#define LOADS_B (QUADS_B / THREADS)

// Four neighbours in a row of a row-major matrix of `length` a row, 0 outside the limits; `wide`
// promises that all four are inside or none.
__device__ __forceinline__ float4 four(const float* p, int row, int rows, int column, int columns,
                                       int length, bool wide) {
    float4 v = make_float4(0.f, 0.f, 0.f, 0.f);
    if (row >= rows || column >= columns) return v;
    p += row * length + column;
    if (wide) return __ldg(reinterpret_cast<const float4*>(p));
    v.x = __ldg(p);
    if (column + 1 < columns) v.y = __ldg(p + 1);
    if (column + 2 < columns) v.z = __ldg(p + 2);
    if (column + 3 < columns) v.w = __ldg(p + 3);
    return v;
}

// Where a row of the tile stands in shared memory: the rows of a thread together.
__device__ __forceinline__ int slot(int row) { return row / ROWS * SLOTS + row % ROWS; }

extern "C" __global__ void __launch_bounds__(THREADS, 4)
matmul(const float* __restrict__ a, const float* __restrict__ b, const float* __restrict__ bias,
       float* __restrict__ y, float* scratch, int* tickets, int m, int n, int k, int across_a,
       int across_b, int wide, int depth, int group, int activation) {
    __shared__ __align__(16) float tile_a[2][DEPTH * STRIDE_A];  // (DEPTH, rows in their slots)
    __shared__ __align__(16) float tile_b[2][DEPTH * STRIDE_B];  // (DEPTH, columns)
    __shared__ int arrived;
    const int thread = threadIdx.x, across = thread % 16, down = thread / 16;
    const int tiles_n = (n + TILE_N - 1) / TILE_N;
    const int row0 = blockIdx.x / tiles_n * TILE_M, column0 = blockIdx.x % tiles_n * TILE_N;
    const int begin = blockIdx.y * depth, end = min(k, begin + depth);

    float4 next_a[LOADS_A], next_b[LOADS_B];
    auto fetch = [&](int at) {
#pragma unroll
        for (int u = 0; u < LOADS_A; ++u) {
            const int quad = u * THREADS + thread;
            if (QUADS_A % THREADS && quad >= QUADS_A) continue;
            if (across_a)
                next_a[u] = four(a, at + quad / (TILE_M / 4), end, row0 + quad % (TILE_M / 4) * 4,
                                 m, m, wide & 1);
            else
                next_a[u] = four(a, row0 + quad / 4, m, at + quad % 4 * 4, end, k, wide & 1);
        }
#pragma unroll
        for (int u = 0; u < LOADS_B; ++u) {
            const int quad = u * THREADS + thread;
            if (across_b)
                next_b[u] = four(b, column0 + quad / 4, n, at + quad % 4 * 4, end, k, wide & 2);
            else
                next_b[u] = four(b, at + quad / 16, end, column0 + quad % 16 * 4, n, n, wide & 2);
        }
    };
    auto keep = [&](float* to_a, float* to_b) {
#pragma unroll
        for (int u = 0; u < LOADS_A; ++u) {
            const int quad = u * THREADS + thread;
            if (QUADS_A % THREADS && quad >= QUADS_A) continue;
            const float4 v = next_a[u];
            if (across_a) {
                float* to = to_a + quad / (TILE_M / 4) * STRIDE_A;
                const int row = quad % (TILE_M / 4) * 4;
#if ROWS % 4 == 0
                *reinterpret_cast<float4*>(to + slot(row)) = v;
#else
                to[slot(row)] = v.x, to[slot(row + 1)] = v.y;
                to[slot(row + 2)] = v.z, to[slot(row + 3)] = v.w;
#endif
            } else {
                float* to = to_a + quad % 4 * 4 * STRIDE_A + slot(quad / 4);
                to[0] = v.x, to[STRIDE_A] = v.y, to[2 * STRIDE_A] = v.z, to[3 * STRIDE_A] = v.w;
            }
        }
#pragma unroll
        for (int u = 0; u < LOADS_B; ++u) {
            const int quad = u * THREADS + thread;
            const float4 v = next_b[u];
            if (across_b) {
                float* to = to_b + quad % 4 * 4 * STRIDE_B + quad / 4;
                to[0] = v.x, to[STRIDE_B] = v.y, to[2 * STRIDE_B] = v.z, to[3 * STRIDE_B] = v.w;
            } else {
                *reinterpret_cast<float4*>(to_b + quad / 16 * STRIDE_B + quad % 16 * 4) = v;
            }
        }
    };

    float sum[ROWS][COLUMNS] = {};
    fetch(begin);
    for (int at = begin, half = 0; at < end; at += DEPTH, half ^= 1) {
        keep(tile_a[half], tile_b[half]);
        // One barrier a step: who writes this half again, two steps on, has passed the barrier of
        // the step between, and so has everybody who read it.
        __syncthreads();
        if (at + DEPTH < end) fetch(at + DEPTH);
        const float* from_a = tile_a[half] + down * SLOTS;
        const float* from_b = tile_b[half] + across * COLUMNS;
        // Halves of a step, so that K = 50 costs 56 and not 64: after that there are only zeros.
#pragma unroll 1
        for (int first = 0; first < DEPTH && at + first < end; first += DEPTH / 2) {
#pragma unroll
            for (int d = first; d < first + DEPTH / 2; ++d) {
                float u[SLOTS];
#pragma unroll
                for (int r = 0; r < SLOTS; r += 4) {
                    const float4 v = *reinterpret_cast<const float4*>(from_a + d * STRIDE_A + r);
                    u[r] = v.x, u[r + 1] = v.y, u[r + 2] = v.z, u[r + 3] = v.w;
                }
                const float4 v = *reinterpret_cast<const float4*>(from_b + d * STRIDE_B);
#pragma unroll
                for (int r = 0; r < ROWS; ++r) {
                    sum[r][0] = fmaf(u[r], v.x, sum[r][0]);
                    sum[r][1] = fmaf(u[r], v.y, sum[r][1]);
                    sum[r][2] = fmaf(u[r], v.z, sum[r][2]);
                    sum[r][3] = fmaf(u[r], v.w, sum[r][3]);
                }
            }
        }
    }

    // The sum over the parts of the contraction. A part lies as the threads have it, (ROWS, THREADS,
    // COLUMNS), so all reads and writes are in order.
    const int parts = gridDim.y, groups = (parts + group - 1) / group;
    const int size = ROWS * THREADS * COLUMNS;
    float* slots = scratch + blockIdx.x * parts * size + thread * COLUMNS;
    auto put = [&](int to) {
        float4* mine = reinterpret_cast<float4*>(slots + to * size);
#pragma unroll
        for (int r = 0; r < ROWS; ++r)
            mine[r * THREADS] = make_float4(sum[r][0], sum[r][1], sum[r][2], sum[r][3]);
    };
    auto add = [&](int first, int step, int members) {
#pragma unroll
        for (int r = 0; r < ROWS; ++r)
            for (int c = 0; c < COLUMNS; ++c) sum[r][c] = 0.f;
#pragma unroll 2
        for (int member = 0; member < members; ++member) {
            const float4* theirs =
                reinterpret_cast<const float4*>(slots + (first + member * step) * size);
#pragma unroll
            for (int r = 0; r < ROWS; ++r) {
                const float4 v = theirs[r * THREADS];
                sum[r][0] += v.x, sum[r][1] += v.y, sum[r][2] += v.z, sum[r][3] += v.w;
            }
        }
    };
    int* own = tickets + blockIdx.x * (groups + 1);  // one for each group, and one for the groups
    if (!add_parts(blockIdx.y, parts, group, own, thread, &arrived, put, add)) return;

    const int column = column0 + across * COLUMNS;
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
        const int row = row0 + down * ROWS + r;
        if (row >= m) continue;
#pragma unroll
        for (int c = 0; c < COLUMNS; ++c) {
            if (bias && column + c < n) sum[r][c] += __ldg(bias + column + c);
            sum[r][c] = activated(sum[r][c], activation);
        }
        float* to = y + row * n + column;
        if (wide & 4 && column < n) {
            *reinterpret_cast<float4*>(to) =
                make_float4(sum[r][0], sum[r][1], sum[r][2], sum[r][3]);
        } else {
#pragma unroll
            for (int c = 0; c < COLUMNS; ++c)
                if (column + c < n) to[c] = sum[r][c];
        }
    }
}
