// Convolutions with one channel on one side, where a matrix product has nothing to gain.
//
// With images NHWC and M channels on the other side, w is (taps, M) whichever side has the one:
//
//     spread   many[p, m] = act(b[m] + sum over taps t of  w[t, m] one[q(p, t)])
//     gather   one[p]     = act(b    + sum over t and m of w[t, m] many[q(p, t), m])
//     weight   w[t, m]    = sum over pixels p of           many[p, m] one[q(p, t)]
//
// p is a pixel of the image that is walked, q(p, t) the pixel of the other one that kernel element
// t = (i, j) joins it with. With stride s, dilation d and padding `top` before it, that is
//
//     h = p s + i d - top              walking the outputs of the convolution
//     h = (p + top - i d) / s          walking its images (transposed): only where s divides
//
// in each direction, and only inside the other image. Where there is none the value 0 stands, which
// infinity and NaN make NaN, like the reference's padding (but walking images it adds no term).
//
// All three move far more bytes than they compute, so what counts is that the array `many` crosses
// the memory bus once, 16 bytes a thread, neighbours side by side. A block takes a tile of pixels
// and works out q(p, t) once for all channels, in a table (taps, pixels) in shared memory: the
// integer divisions, slow on a GPU, are spent per pixel and not per channel. Then each thread has
// VECTOR neighbouring channels of PIXELS neighbouring pixels, and a weight once loaded serves all.
//
// Needs: everything contiguous; with VECTOR == 4, M a multiple of 4 and w, b and many on 16 bytes;
// fewer than 2^31 elements in each array, less one tile.
#include "activation.cuh"
#include "last_block.cuh"

#ifndef VECTOR
#define VECTOR 4
#endif
#define THREADS 256
#define PIXELS 4                 // of a thread: one 16-byte read of the table
#define TILE (PIXELS * THREADS)  // the most pixels that a block can have
#define TABLE 4096               // entries of the table in spread and gather: taps go in batches
#define TAPS 9                   // of a block of `weight`: what a thread can keep sums for

struct Windows {
    int pixels, height, width;  // of all walked images together; of one
    int other_height, other_width, kernel_height, kernel_width;
    int stride_down, stride_across, top, left, dilation_down, dilation_across;
    int transposed;
};

struct Channels {
    float at[VECTOR];
};

__device__ __forceinline__ Channels load(const float* p) {
    Channels v;
#if VECTOR == 4
    const float4 four = __ldg(reinterpret_cast<const float4*>(p));
    v.at[0] = four.x, v.at[1] = four.y, v.at[2] = four.z, v.at[3] = four.w;
#else
    v.at[0] = __ldg(p);
#endif
    return v;
}

__device__ __forceinline__ void store(float* p, const float (&v)[VECTOR]) {
#if VECTOR == 4
    *reinterpret_cast<float4*>(p) = make_float4(v[0], v[1], v[2], v[3]);
#else
    *p = v[0];
#endif
}

// t / stride, which is nearly always 1 or 2: a division takes some twenty instructions.
__device__ __forceinline__ int divided(int t, int stride) {
    return stride == 1 ? t : stride == 2 ? t >> 1 : t / stride;
}

// A walked pixel: its image and the corner that its window starts from.
struct Place {
    int image, row, column;
};

__device__ __forceinline__ Place place(int pixel, const Windows& g) {
    const int line = pixel / g.width, image = line / g.height;
    const int row = line - image * g.height, column = pixel - line * g.width;
    if (g.transposed) return {image, row + g.top, column + g.left};
    return {image, row * g.stride_down - g.top, column * g.stride_across - g.left};
}

// The pixel of the other image that kernel element (i, j) joins with a walked one; -1 for none.
__device__ __forceinline__ int joined(const Place& p, int i, int j, const Windows& g) {
    const int down = p.row + (g.transposed ? -i : i) * g.dilation_down;
    const int across = p.column + (g.transposed ? -j : j) * g.dilation_across;
    if (down < 0 || across < 0) return -1;
    int h = down, v = across;
    if (g.transposed) {
        h = divided(down, g.stride_down);
        v = divided(across, g.stride_across);
        if (h * g.stride_down != down || v * g.stride_across != across) return -1;
    }
    if (h >= g.other_height || v >= g.other_width) return -1;
    return (p.image * g.other_height + h) * g.other_width + v;
}

// Calls keep(t * tile + p, q(start + p, first + t)) for `count` taps t and all pixels p of a tile.
template <class Keep>
__device__ __forceinline__ void join(int start, int tile, int first, int count, int thread,
                                     int threads, const Windows& g, Keep keep) {
    for (int pixel = thread; pixel < tile; pixel += threads) {
        const bool inside = start + pixel < g.pixels;
        const Place p = place(inside ? start + pixel : 0, g);
        int i = first / g.kernel_width, j = first - i * g.kernel_width;
        for (int tap = 0; tap < count; ++tap) {
            keep(tap * tile + pixel, inside ? joined(p, i, j, g) : -1);
            if (++j == g.kernel_width) j = 0, ++i;
        }
    }
}

// Block (x, y) with x y <= THREADS: y times PIXELS pixels, x times VECTOR channels.
extern "C" __global__ void __launch_bounds__(THREADS, 4)
spread(const float* __restrict__ one, const float* __restrict__ w, const float* __restrict__ b,
       float* __restrict__ many, Windows g, int channels, int activation) {
    __shared__ __align__(16) float table[TABLE];  // (taps of a batch, pixels)
    const int threads = blockDim.x * blockDim.y, thread = threadIdx.y * blockDim.x + threadIdx.x;
    const int tile = PIXELS * blockDim.y, start = blockIdx.x * tile;
    const int channel = (blockIdx.y * blockDim.x + threadIdx.x) * VECTOR;
    const int taps = g.kernel_height * g.kernel_width, batch = TABLE / tile;
    float sum[PIXELS][VECTOR] = {};
    for (int first = 0; first < taps; first += batch) {
        const int count = min(batch, taps - first);
        if (first) __syncthreads();  // the batch before has been used
        join(start, tile, first, count, thread, threads, g,
             [&](int at, int from) { table[at] = from < 0 ? 0.f : __ldg(one + from); });
        __syncthreads();
        if (channel < channels) {
#pragma unroll 3
            for (int tap = 0; tap < count; ++tap) {
                const Channels v = load(w + (first + tap) * channels + channel);
                const float* x = table + tap * tile + PIXELS * threadIdx.y;
                const float4 four = *reinterpret_cast<const float4*>(x);
                const float own[PIXELS] = {four.x, four.y, four.z, four.w};
                for (int u = 0; u < PIXELS; ++u)
                    for (int c = 0; c < VECTOR; ++c) sum[u][c] = fmaf(own[u], v.at[c], sum[u][c]);
            }
        }
    }
    if (channel >= channels) return;
    const Channels bias = b ? load(b + channel) : Channels{};
    for (int u = 0; u < PIXELS; ++u) {
        const int pixel = start + PIXELS * threadIdx.y + u;
        if (pixel < g.pixels) {
            for (int c = 0; c < VECTOR; ++c)
                sum[u][c] = activated(b ? sum[u][c] + bias.at[c] : sum[u][c], activation);
            store(many + pixel * channels + channel, sum[u]);
        }
    }
}

// Block (lanes, THREADS / lanes), lanes a power of two up to 32: they share the channels of PIXELS
// pixels and add up by shuffles. The table holds addresses; nine taps read a pixel nine times, but
// all except the first time from the nearest cache, since the pixels of a block are neighbours.
extern "C" __global__ void __launch_bounds__(THREADS, 3)
gather(const float* __restrict__ many, const float* __restrict__ w, const float* __restrict__ b,
       float* __restrict__ one, Windows g, int channels, int activation) {
    __shared__ __align__(16) int table[TABLE];  // (taps of a batch, pixels)
    const int lanes = blockDim.x, thread = threadIdx.y * lanes + threadIdx.x;
    const int tile = PIXELS * blockDim.y, start = blockIdx.x * tile;
    const int taps = g.kernel_height * g.kernel_width, batch = TABLE / tile;
    float sum[PIXELS] = {};
    for (int first = 0; first < taps; first += batch) {
        const int count = min(batch, taps - first);
        if (first) __syncthreads();  // the batch before has been used
        join(start, tile, first, count, thread, THREADS, g,
             [&](int at, int from) { table[at] = from < 0 ? -1 : from * channels; });
        __syncthreads();
        for (int channel = threadIdx.x * VECTOR; channel < channels; channel += lanes * VECTOR) {
#pragma unroll 3
            for (int tap = 0; tap < count; ++tap) {
                const int4 four =
                    *reinterpret_cast<const int4*>(table + tap * tile + PIXELS * threadIdx.y);
                const int from[PIXELS] = {four.x, four.y, four.z, four.w};
                const Channels v = load(w + (first + tap) * channels + channel);
                for (int u = 0; u < PIXELS; ++u) {
                    Channels x = {};
                    if (from[u] >= 0) x = load(many + from[u] + channel);
                    for (int c = 0; c < VECTOR; ++c) sum[u] = fmaf(x.at[c], v.at[c], sum[u]);
                }
            }
        }
    }
    const float bias = b ? __ldg(b) : 0.f;
    for (int u = 0; u < PIXELS; ++u) {
        for (int apart = lanes / 2; apart; apart /= 2)
            sum[u] += __shfl_xor_sync(0xffffffffu, sum[u], apart);
        const int pixel = start + PIXELS * threadIdx.y + u;
        if (threadIdx.x == 0 && pixel < g.pixels)
            one[pixel] = activated(b ? sum[u] + bias : sum[u], activation);
    }
}

// Grid (parts, batches of channels, batches of TAPS taps); block (lanes, THREADS / lanes), lanes a
// power of two up to 8. Each thread goes over its pixels with a sum for each of its channels and
// taps; the block adds them up, and then the blocks of one result do (`add_parts`, in two levels: of
// `group` blocks each, and of the groups).
extern "C" __global__ void __launch_bounds__(THREADS, 2)
weight(const float* __restrict__ many, const float* __restrict__ one, float* __restrict__ w,
       float* scratch, int* tickets, Windows g, int channels, int group) {
    __shared__ __align__(16) float table[TAPS * TILE];  // (taps, pixels), then the sums of warps
    __shared__ int arrived;
    const int lanes = blockDim.x, thread = threadIdx.y * lanes + threadIdx.x;
    const int tile = PIXELS * blockDim.y, channel = (blockIdx.y * lanes + threadIdx.x) * VECTOR;
    const int taps = g.kernel_height * g.kernel_width, first = blockIdx.z * TAPS;
    const int count = min(TAPS, taps - first);

    float sum[TAPS][VECTOR] = {};
    for (int start = blockIdx.x * tile; start < g.pixels; start += gridDim.x * tile) {
        Channels x[PIXELS] = {};  // asked for before the table is made: it arrives meanwhile
        const int own = start + PIXELS * threadIdx.y;
        for (int u = 0; u < PIXELS; ++u)
            if (channel < channels && own + u < g.pixels)
                x[u] = load(many + (own + u) * channels + channel);
        join(start, tile, first, count, thread, THREADS, g,
             [&](int at, int from) { table[at] = from < 0 ? 0.f : __ldg(one + from); });
        __syncthreads();
#pragma unroll
        for (int tap = 0; tap < TAPS; ++tap) {
            if (tap < count) {
                const float4 v =
                    *reinterpret_cast<const float4*>(table + tap * tile + PIXELS * threadIdx.y);
                for (int c = 0; c < VECTOR; ++c) {
                    float s = sum[tap][c];
                    s = fmaf(x[0].at[c], v.x, s);
                    s = fmaf(x[1].at[c], v.y, s);
                    s = fmaf(x[2].at[c], v.z, s);
                    sum[tap][c] = fmaf(x[3].at[c], v.w, s);
                }
            }
        }
        __syncthreads();  // before the next table, or the sums below, take its place
    }

    // The block's sum: lanes of one channel by shuffles, then the warps in order.
    const int wide = lanes * VECTOR, size = TAPS * wide;  // of a part, laid out (taps, channels)
#pragma unroll
    for (int tap = 0; tap < TAPS; ++tap) {
        for (int c = 0; c < VECTOR; ++c) {
            float s = sum[tap][c];
            for (int apart = 16; apart >= lanes; apart /= 2)
                s += __shfl_xor_sync(0xffffffffu, s, apart);
            if (thread % 32 < lanes)
                table[thread / 32 * size + tap * wide + threadIdx.x * VECTOR + c] = s;
        }
    }
    __syncthreads();
    // From here on a thread has entries of its own, the same ones everywhere.
    for (int e = thread; e < size; e += THREADS) {
        float s = 0.f;
        for (int warp = 0; warp < THREADS / 32; ++warp) s += table[warp * size + e];
        table[e] = s;
    }

    const int result = blockIdx.z * gridDim.y + blockIdx.y, parts = gridDim.x;
    const int groups = (parts + group - 1) / group;
    float* slots = scratch + result * parts * size;
    auto put = [&](int to) {
        for (int e = thread; e < size; e += THREADS) slots[to * size + e] = table[e];
    };
    auto add = [&](int first, int step, int members) {
        for (int e = thread; e < size; e += THREADS) {
            const float* theirs = slots + first * size + e;
            float s = 0.f;
#pragma unroll 8
            for (int member = 0; member < members; ++member) s += theirs[member * step * size];
            table[e] = s;
        }
    };
    int* own = tickets + result * (groups + 1);  // one for each group, and one for the groups
    if (!add_parts(blockIdx.x, parts, group, own, thread, &arrived, put, add)) return;

    for (int e = thread; e < size; e += THREADS) {
        const int tap = e / wide, at = blockIdx.y * wide + e - tap * wide;
        if (tap < count && at < channels) w[(first + tap) * channels + at] = table[e];
    }
}
