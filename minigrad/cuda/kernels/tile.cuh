// A block's tile of an implicit matrix product: multiplied from shared memory into registers, and
// added up where several blocks have made parts of its sum. What the operands are, and how they get
// to shared memory, is the affair of the kernel that includes this.
//
// The tile is TILE_M x TILE_N, a warp makes WARP_M x WARP_N of it, a thread 8 x 8 (in warps of
// 32 x 32: 8 x 4) in squares of 4 x 4. A step takes DEPTH values of k, the summed index, and keeps
// them in shared memory as [k][row] and [k][column], so that a thread reads neighbours at once.
// * WIDE=1: the kernel loads 16 bytes, four values, at a time. WIDE=0: one value.
// * TF32=1 multiplies on the tensor cores (mma.m16n8k8): operands rounded to 10 bits of mantissa
//   when they are stored to shared memory, sums in float32.
// * TF32=3 makes of each product three there: an operand is p + p', p rounded to 10 bits of mantissa
//   and p' the rest, and a product p q + p q' + p' q. Tensor cores round their sums towards zero
//   (M. Fasi et al., "Numerical behavior of NVIDIA tensor cores", 2021), which would add up from
//   step to step, so they only make a step's sum, small products first, and that is added in float32
//   (H. Ootomo and R. Yokota, "Recovering single precision accuracy from Tensor Cores", 2022).
//   What is not finite or rounds to infinity becomes NaN: its rest is.
// Before sm_80 TF32 changes nothing.
//
// Expects SWIZZLED: 1 if row m is kept for k at m ^ swizzle(k), 0 if at m; of last_block.cuh
// `add_parts`; as options, each with its default, TILE_M to WARP_N together, DEPTH, WIDE and TF32.
#ifndef WIDE
#define WIDE 0
#endif
#ifndef TILE_M
#define TILE_M 64
#define TILE_N 64
#define WARP_M 32
#define WARP_N 32
#endif
#ifndef DEPTH
#define DEPTH 16
#endif
#if defined(TF32) && (defined(__CUSIM__) || __CUDA_ARCH__ >= 800)
#define TENSOR TF32
#else
#define TENSOR 0
#endif

#define WARPS_N (TILE_N / WARP_N)
#define THREADS (TILE_M / WARP_M * WARPS_N * 32)
#define BLOCKS (384 / THREADS)  // on a multiprocessor, at least: what registers may be used
#define PIECE (WIDE ? 4 : 1)  // floats that one load takes
#define PAD 8  // lines of 8 mod 32 words: the tensor cores' loads touch four of them at once
#define FAN 8  // parts that are added at once
// What a thread makes: squares of SIDE x SIDE, in a warp of 4 x 8 threads (tensor cores: 8 x 4).
#define SIDE (TENSOR ? 2 : 4)
#define APART_M 16  // from one to the next
#define APART_N (TENSOR ? 8 : 32)
#define SQUARES_M (WARP_M / APART_M)
#define SQUARES_N (WARP_N / APART_N)
#define FLOATS (SQUARES_M * SQUARES_N * SIDE * SIDE)

typedef float Left[DEPTH][TILE_M + PAD], Right[DEPTH][TILE_N + PAD];  // a step in shared memory
typedef float Sums[SQUARES_M][SQUARES_N][SIDE][SIDE];                 // a thread's

// ------------------------------------------------------------------------------ numbers on the way
// What shared memory holds of v. Tensor cores drop the 13 lower bits of an operand, so to round it
// half of the last bit that stays is added: as a float, for infinities and NaN stay what they are.
__device__ __forceinline__ float operand(float v) {
    return TENSOR == 1 ? fmaf(__uint_as_float(__float_as_uint(v) & 0xff800000u), 0x1p-11f, v) : v;
}

__device__ __forceinline__ void load_piece(float* to, const float* from, bool there) {
#if WIDE
    *reinterpret_cast<float4*>(to) = there ? __ldg(reinterpret_cast<const float4*>(from))
                                           : make_float4(0.f, 0.f, 0.f, 0.f);
#else
    *to = there ? __ldg(from) : 0.f;
#endif
}

__device__ __forceinline__ void copy2(float* to, const float* from) {
    *reinterpret_cast<float2*>(to) = *reinterpret_cast<const float2*>(from);
}

__device__ __forceinline__ void copy4(float* to, const float* from) {
    *reinterpret_cast<float4*>(to) = *reinterpret_cast<const float4*>(from);
}

// Where row `m` is kept for a k: at m ^ swizzle(k). For the m of a square, at + lane, with `at` a
// multiple of `apart`, a constant, and lane < apart, that leaves almost nothing to do at run time.
__device__ __forceinline__ int swizzle(int k) { return SWIZZLED ? k / 4 % 4 * 8 : 0; }
__device__ __forceinline__ int swizzled(int at, int lane, int apart, int k) {
    return (at ^ (swizzle(k) & -apart)) + (lane ^ (swizzle(k) & (apart - 1)));
}

// ------------------------------------------------------------------------------------ the product
// Where a thread's squares lie. On the tensor cores a lane has rows g and g + 8 of a 16 x 8
// product. They may be any two rows of the tile: neighbours, which makes one load of them and a
// square of the results.
struct Corner {
    int warp_m, warp_n, lane, lane_m, lane_n;
};

__device__ __forceinline__ Corner corner(int thread) {
    const int warp = thread / 32, lane = thread % 32;
    return {warp / WARPS_N * WARP_M, warp % WARPS_N * WARP_N, lane,
            TENSOR ? lane / 4 * 2 : lane / 8 * 4, TENSOR ? lane % 4 * 2 : lane % 8 * 4};
}

#if TENSOR
// d (16 x 8) = c (16 x 8) + a (16 x 8) b (8 x 8), spread over a warp as the PTX manual says.
__device__ __forceinline__ void mma(float* d, const float* a, const float* b, const float* c) {
    const unsigned p[4] = {__float_as_uint(a[0]), __float_as_uint(a[1]), __float_as_uint(a[2]),
                           __float_as_uint(a[3])};
    const unsigned q[2] = {__float_as_uint(b[0]), __float_as_uint(b[1])};
#if defined(__CUSIM__)
    for (int i = 0; i < 4; ++i) d[i] = c[i];
    cusim_mma_m16n8k8(d, p, q, __LINE__);
#else
    // volatile: all lanes of the warp have to meet here, so it must not move into a branch
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"
        : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
        : "r"(p[0]), "r"(p[1]), "r"(p[2]), "r"(p[3]), "r"(q[0]), "r"(q[1]), "f"(c[0]), "f"(c[1]),
          "f"(c[2]), "f"(c[3]));
#endif
}

// What a lane gives to the products with eight values of k: of rows, and of columns.
__device__ __forceinline__ void load_rows(float (&p)[SQUARES_M][4], const Left& left,
                                          const Corner& at, int k) {
#pragma unroll
    for (int e = 0; e < SQUARES_M * 2; ++e) {
        const int i = e / 2, k4 = k + e % 2 * 4, row = k4 + at.lane % 4;
        copy2(&p[i][e % 2 * 2],
              &left[row][at.warp_m + swizzled(i * APART_M, at.lane_m, APART_M, k4)]);
    }
}

__device__ __forceinline__ void load_column(float (&q)[2], const Right& right, const Corner& at,
                                            int j, int k) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const int k4 = k + half * 4, row = k4 + at.lane % 4;
        q[half] = right[row][at.warp_n + swizzled(j * APART_N, at.lane / 4, APART_N, k4)];
    }
}

// Leaves in v what it is rounded to for a tensor core, and returns the rest.
__device__ __forceinline__ float split(float& v) {
    const float whole = v;
    v = __uint_as_float((__float_as_uint(v) + 0x1000u) & 0xffffe000u);
    return whole - v;
}
#endif

// sum += the product of one step.
__device__ __forceinline__ void multiply(const Left& left, const Right& right, const Corner& at,
                                         Sums& sum) {
#if TENSOR == 1
#pragma unroll
    for (int k = 0; k < DEPTH; k += 8) {
        float p[SQUARES_M][4], q[SQUARES_N][2];
        load_rows(p, left, at, k);
#pragma unroll
        for (int j = 0; j < SQUARES_N; ++j) load_column(q[j], right, at, j, k);
#pragma unroll
        for (int e = 0; e < SQUARES_M * SQUARES_N; ++e) {
            float* d = sum[e / SQUARES_N][e % SQUARES_N][0];
            mma(d, p[e / SQUARES_N], q[e % SQUARES_N], d);
        }
    }
#elif TENSOR == 3
    float p[DEPTH / 8][SQUARES_M][4], p_rest[DEPTH / 8][SQUARES_M][4];
#pragma unroll
    for (int h = 0; h < DEPTH / 8; ++h) {
        load_rows(p[h], left, at, h * 8);
#pragma unroll
        for (int e = 0; e < SQUARES_M * 4; ++e) p_rest[h][e / 4][e % 4] = split(p[h][e / 4][e % 4]);
    }
#pragma unroll
    for (int j = 0; j < SQUARES_N; ++j) {
        float q[DEPTH / 8][2], q_rest[DEPTH / 8][2], part[SQUARES_M][4] = {};
#pragma unroll
        for (int h = 0; h < DEPTH / 8; ++h) {
            load_column(q[h], right, at, j, h * 8);
            q_rest[h][0] = split(q[h][0]), q_rest[h][1] = split(q[h][1]);
#pragma unroll
            for (int i = 0; i < SQUARES_M; ++i) mma(part[i], p_rest[h][i], q[h], part[i]);
#pragma unroll
            for (int i = 0; i < SQUARES_M; ++i) mma(part[i], p[h][i], q_rest[h], part[i]);
        }
#pragma unroll
        for (int e = 0; e < DEPTH / 8 * SQUARES_M; ++e) {
            const int h = e / SQUARES_M, i = e % SQUARES_M;
            mma(part[i], p[h][i], q[h], part[i]);
        }
#pragma unroll
        for (int e = 0; e < SQUARES_M * 4; ++e) (&sum[e / 4][j][0][0])[e % 4] += part[e / 4][e % 4];
    }
#else
#pragma unroll
    for (int k = 0; k < DEPTH; ++k) {
        float p[SQUARES_M][4], q[SQUARES_N][4];
#pragma unroll
        for (int i = 0; i < SQUARES_M; ++i)
            copy4(p[i], &left[k][at.warp_m + swizzled(i * APART_M, at.lane_m, APART_M, k)]);
#pragma unroll
        for (int j = 0; j < SQUARES_N; ++j)
            copy4(q[j], &right[k][at.warp_n + swizzled(j * APART_N, at.lane_n, APART_N, k)]);
#pragma unroll
        for (int e = 0; e < FLOATS; ++e) {
            const int i = e / 16 / SQUARES_N, j = e / 16 % SQUARES_N, r = e / 4 % 4, c = e % 4;
            sum[i][j][r][c] = fmaf(p[i][r], q[j][c], sum[i][j][r][c]);
        }
    }
#endif
}

// ------------------------------------------------------------------------------ the sum over parts
// See `add_parts` of last_block.cuh. `scratch` has TILE_M * TILE_N floats for each of `parts` blocks.
// A thread finds its sums again where it put them, whatever their place in the tile.
__device__ __forceinline__ bool add_tiles(Sums& sum, float* scratch, int* tickets, int index,
                                          int parts, int thread, int* arrived) {
    float* flat = &sum[0][0][0][0];
    auto slot = [&](int i) { return scratch + (size_t)i * (TILE_M * TILE_N) + thread * 4; };
    auto put = [&](int to) {
#pragma unroll
        for (int e = 0; e < FLOATS / 4; ++e) copy4(slot(to) + e * THREADS * 4, flat + e * 4);
    };
    auto add = [&](int first, int step, int members) {
#pragma unroll
        for (int e = 0; e < FLOATS / 4; ++e) copy4(flat + e * 4, slot(first) + e * THREADS * 4);
        for (int i = 1; i < members; ++i)
#pragma unroll
            for (int e = 0; e < FLOATS / 4; ++e) {
                float other[4];
                copy4(other, slot(first + i * step) + e * THREADS * 4);
#pragma unroll
                for (int c = 0; c < 4; ++c) flat[e * 4 + c] += other[c];
            }
    };
    return add_parts(index, parts, FAN, tickets, thread, arrived, put, add);
}
