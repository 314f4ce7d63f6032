// Sums of float32 arrays, each in one launch and in the same order in every run:
//   columns_4, columns_1  sums[f] = sum over rows of dz[row, f], where dz = g slope(y)
//   total                 sum of all numbers
//   squared_distance      sum of (p - t)^2 / 2
//   accumulate            total += scale * sum, in double
//
// Every thread adds up numbers that lie far apart, a block adds up its threads, and where there is
// more than one block each writes its part to `partial`; the last block to finish adds them up in
// the order of the blocks, not of their arrival.
//
// columns: the array is (rows, width) in units of a float4 or of one float. A block is
// `tile` <= 32 units wide (512 bytes) and has 512 / tile lanes, each of which takes every lanes-th
// row; gridDim = (tiles, splits). A narrow array whose rows are no multiple of 16 bytes is passed
// as one with `fold` rows side by side: then sums has width * 4 / fold numbers, and it is one tile.
// y and dz are null for activation 0, whose slope is 1: only sums are wanted.

#include "last_block.cuh"

constexpr int THREADS = 512;
constexpr int BATCH = 4;  // loads of a thread that are under way together

__device__ __forceinline__ float add(float a, float b) { return a + b; }
__device__ __forceinline__ float4 add(float4 a, float4 b) {
    return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

// ------------------------------------------------------------------------------ column sums
enum { LINEAR, RELU, SIGMOID, TANH };

// g times the derivative of an activation, from its output y; no fused operations: NumPy's bits
template <int A>
__device__ __forceinline__ float slope(float g, float y) {
    if (A == RELU) return y <= 0.0f ? 0.0f : g;
    if (A == SIGMOID) return __fmul_rn(g, __fmul_rn(y, __fadd_rn(1.0f, -y)));
    if (A == TANH) return __fmul_rn(g, __fadd_rn(1.0f, -__fmul_rn(y, y)));
    return g;
}
template <int A>
__device__ __forceinline__ float4 slope(float4 g, float4 y) {
    return make_float4(slope<A>(g.x, y.x), slope<A>(g.y, y.y), slope<A>(g.z, y.z),
                       slope<A>(g.w, y.w));
}

struct Place {  // of a thread in its tile, and of the tile in the array
    unsigned lanes, lane, column;
    bool inside;
    __device__ Place(int width, int tile) {
        lanes = THREADS / tile, lane = threadIdx.x / tile;
        column = blockIdx.x * tile + threadIdx.x % tile;
        inside = lane < lanes && column < (unsigned)width;
    }
};

template <class T, int A>
__device__ __forceinline__ T column_sum(const T* __restrict__ g, const T* __restrict__ y,
                                        T* __restrict__ dz, unsigned rows, unsigned width,
                                        const Place& at) {
    T sum{};
    if (!at.inside) return sum;
    const unsigned step = at.lanes * gridDim.y;
    unsigned row = blockIdx.y * at.lanes + at.lane;
    while (row < rows) {
        T gs[BATCH], ys[BATCH];
        int count = 0;
#pragma unroll
        for (int k = 0; k < BATCH; ++k) {  // all loads are under way before the first is used
            const unsigned i = (row + k * step) * width + at.column;
            if (row + k * step >= rows) break;
            gs[k] = __ldg(g + i);
            if (A != LINEAR) ys[k] = __ldg(y + i);
            ++count;
        }
#pragma unroll
        for (int k = 0; k < BATCH; ++k) {
            if (k >= count) break;
            const T d = slope<A>(gs[k], ys[k]);
            if (A != LINEAR) dz[(row + k * step) * width + at.column] = d;
            sum = add(sum, d);
        }
        row += BATCH * step;
    }
    return sum;
}

// The sum over the lanes, a tree: in lane 0, and in shared[0] to shared[tile - 1].
template <class T>
__device__ __forceinline__ T lane_sum(T sum, T* shared, int tile, const Place& at) {
    __syncthreads();  // shared may still be read
    if (at.lane < at.lanes) shared[threadIdx.x] = sum;
    for (unsigned n = at.lanes; n > 1;) {
        const unsigned half = (n + 1) / 2;
        __syncthreads();
        if (at.lane < n - half) {
            sum = add(sum, shared[threadIdx.x + half * tile]);
            shared[threadIdx.x] = sum;
        }
        n = half;
    }
    return sum;
}

template <class T>
__device__ __forceinline__ void columns(const T* g, const T* y, T* dz, float* sums, T* partial,
                                        int* tickets, int rows, int width, int tile, int fold,
                                        int activation, T* shared, int* arrived) {
    const Place at(width, tile);
    T sum;
    switch (activation) {
        case RELU: sum = column_sum<T, RELU>(g, y, dz, rows, width, at); break;
        case SIGMOID: sum = column_sum<T, SIGMOID>(g, y, dz, rows, width, at); break;
        case TANH: sum = column_sum<T, TANH>(g, y, dz, rows, width, at); break;
        default: sum = column_sum<T, LINEAR>(g, y, dz, rows, width, at);
    }
    sum = lane_sum(sum, shared, tile, at);
    if (gridDim.y > 1) {
        if (at.inside && at.lane == 0) partial[blockIdx.y * width + at.column] = sum;
        if (!is_last(tickets + blockIdx.x, gridDim.y, threadIdx.x, arrived)) return;
        sum = T{};
        if (at.inside)
            for (unsigned split = at.lane; split < gridDim.y; split += at.lanes)
                sum = add(sum, partial[split * width + at.column]);
        sum = lane_sum(sum, shared, tile, at);
    }
    if (fold == 1) {
        if (at.inside && at.lane == 0) ((T*)sums)[at.column] = sum;
        return;
    }
    __syncthreads();
    const unsigned numbers = width * (sizeof(T) / 4) / fold;
    if (threadIdx.x < numbers) {
        float folded = 0.0f;
        for (int k = 0; k < fold; ++k) folded += ((float*)shared)[k * numbers + threadIdx.x];
        sums[threadIdx.x] = folded;
    }
}

extern "C" __global__ void __launch_bounds__(512)
columns_4(const float* g, const float* y, float* dz, float* sums, float* partial, int* tickets,
          int rows, int width, int tile, int fold, int activation) {
    __shared__ float4 shared[512];
    __shared__ int arrived;
    columns((const float4*)g, (const float4*)y, (float4*)dz, sums, (float4*)partial, tickets,
            rows, width, tile, fold, activation, shared, &arrived);
}

extern "C" __global__ void __launch_bounds__(512)
columns_1(const float* g, const float* y, float* dz, float* sums, float* partial, int* tickets,
          int rows, int width, int tile, int activation) {
    __shared__ float shared[512];
    __shared__ int arrived;
    columns(g, y, dz, sums, partial, tickets, rows, width, tile, 1, activation, shared, &arrived);
}

// ------------------------------------------------------------------------ sums of everything
// The sum over the block, in thread 0; `shared` has a place for each of the 16 warps.
template <class T>
__device__ __forceinline__ T block_sum(T sum, T* shared) {
    for (int far = 16; far; far /= 2) sum += __shfl_down_sync(0xffffffffu, sum, far);
    __syncthreads();  // shared may still be read
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x < 32) {
        sum = threadIdx.x < THREADS / 32 ? shared[threadIdx.x] : T(0);
        for (int far = 8; far; far /= 2) sum += __shfl_down_sync(0xffffffffu, sum, far);
    }
    return sum;
}

// out = scale * sum of f over n numbers, the first 4 quads of them in float4s; at most 512 blocks.
template <class F>
__device__ __forceinline__ void sum_all(F f, float* out, float* partial, int* ticket, int n,
                                        int quads, float scale, float* shared, int* arrived) {
    const unsigned first = blockIdx.x * THREADS + threadIdx.x, step = gridDim.x * THREADS;
    float4 four{};
    unsigned i = first;
    for (; i + (BATCH - 1) * step < (unsigned)quads; i += BATCH * step) {
        typename F::Four loaded[BATCH];
#pragma unroll
        for (int k = 0; k < BATCH; ++k) loaded[k] = f.load(i + k * step);
#pragma unroll
        for (int k = 0; k < BATCH; ++k) four = f.add_four(four, loaded[k]);
    }
    for (; i < (unsigned)quads; i += step) four = f.add_four(four, f.load(i));
    float sum = (four.x + four.y) + (four.z + four.w);
    for (i = 4u * quads + first; i < (unsigned)n; i += step) sum = f.add_one(sum, i);
    sum = block_sum(sum, shared);
    if (gridDim.x > 1) {
        if (threadIdx.x == 0) partial[blockIdx.x] = sum;
        if (!is_last(ticket, gridDim.x, threadIdx.x, arrived)) return;
        sum = block_sum(threadIdx.x < gridDim.x ? partial[threadIdx.x] : 0.0f, shared);
    }
    if (threadIdx.x == 0) out[0] = sum * scale;
}

struct Plain {
    const float* x;
    using Four = float4;
    __device__ Four load(unsigned i) const { return __ldg((const float4*)x + i); }
    __device__ static float4 add_four(float4 s, Four v) { return add(s, v); }
    __device__ float add_one(float s, unsigned i) const { return s + __ldg(x + i); }
};

struct Squares {
    const float *p, *t;
    struct Four {
        float4 p, t;
    };
    __device__ Four load(unsigned i) const {
        return {__ldg((const float4*)p + i), __ldg((const float4*)t + i)};
    }
    __device__ static float more(float s, float a, float b) { return fmaf(a - b, a - b, s); }
    __device__ static float4 add_four(float4 s, Four v) {
        return make_float4(more(s.x, v.p.x, v.t.x), more(s.y, v.p.y, v.t.y),
                           more(s.z, v.p.z, v.t.z), more(s.w, v.p.w, v.t.w));
    }
    __device__ float add_one(float s, unsigned i) const {
        return more(s, __ldg(p + i), __ldg(t + i));
    }
};

extern "C" __global__ void __launch_bounds__(512)
total(const float* x, float* out, float* partial, int* ticket, int n, int quads) {
    __shared__ float shared[16];
    __shared__ int arrived;
    sum_all(Plain{x}, out, partial, ticket, n, quads, 1.0f, shared, &arrived);
}

extern "C" __global__ void __launch_bounds__(512)
squared_distance(const float* p, const float* t, float* out, float* partial, int* ticket, int n,
                 int quads) {
    __shared__ float shared[16];
    __shared__ int arrived;
    sum_all(Squares{p, t}, out, partial, ticket, n, quads, 0.5f, shared, &arrived);
}

struct Scale {  // a double by value: the launcher passes Python floats as float
    double value;
};

// One block: x is a loss, or a few numbers for each example.
extern "C" __global__ void __launch_bounds__(512)
accumulate(double* sum_so_far, const float* x, int n, Scale scale) {
    __shared__ double shared[16];
    double sum = 0.0;
#pragma unroll 8
    for (unsigned i = threadIdx.x; i < (unsigned)n; i += THREADS) sum += (double)__ldg(x + i);
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) sum_so_far[0] = __dadd_rn(sum_so_far[0], __dmul_rn(scale.value, sum));
}
