// Random numbers by Philox4x32-10, the same bits as minigrad/random.py, which explains the formulas:
//   uniform  the upper 24 bits of a word
//   normal   the normal distribution's quantile of a word (AS 241, PPND7)
//
// Thread k makes the four words of block counter + k and writes four numbers, with one 16-byte
// store (out is newly allocated, so it begins at a multiple of 16 bytes; at its end fewer).
//
// counter lies on the device, so that a captured launch draws new numbers when it is replayed; the
// block that is the last to have read it advances it.
//
// Every operation on floats is one that is exactly rounded, and none may be fused: hence the
// __fmul_rn and __fadd_rn, the quotient and the root that are exactly rounded, and the own
// logarithm.

__device__ __forceinline__ float mul(float a, float b) { return __fmul_rn(a, b); }
__device__ __forceinline__ float add(float a, float b) { return __fadd_rn(a, b); }

// c0 x^(n-1) + ... + c(n-1)
__device__ __forceinline__ float polynomial(float y, float) { return y; }
template <class... C>
__device__ __forceinline__ float polynomial(float y, float x, float c, C... rest) {
    return polynomial(add(mul(y, x), c), x, rest...);
}

__device__ __forceinline__ float to_uniform(unsigned word) {
    return mul((float)(word >> 8), 5.9604644775390625e-8f);  // 2^-24
}

__device__ __forceinline__ float logarithm(float p) {
    const int root_half = 0x3f3504f3;
    const int bits = (int)__float_as_uint(p) - root_half;
    const float exponent = (float)(bits >> 23);
    const float x = add(__uint_as_float((unsigned)((bits & 0x007fffff) + root_half)), -1.0f);
    const float square = mul(x, x);
    const float series = polynomial(7.0376836292e-2f, x, -1.1514610310e-1f, 1.1676998740e-1f,
                                    -1.2420140846e-1f, 1.4249322787e-1f, -1.6668057665e-1f,
                                    2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f);
    float y = add(mul(mul(x, square), series), mul(exponent, -2.12194440e-4f));
    y = add(y, -mul(0.5f, square));
    return add(add(x, y), mul(exponent, 0.693359375f));
}

__device__ __forceinline__ float to_normal(unsigned word) {
    const float scale = 2.3283064365386962890625e-10f;  // 2^-32
    const unsigned k = word & 0x7fffffffu;
    const float q = mul(add((float)k, 0.5f), scale);
    float z;
    if (q > 0.425f) {
        const float p = mul(add((float)(0x7fffffffu - k), 0.5f), scale);
        const float r = add(__fsqrt_rn(-logarithm(p)), -1.6f);
        z = __fdiv_rn(polynomial(1.7023821103e-01f, r, 1.3067284816e00f, 2.7568153900e00f,
                                 1.4234372777e00f),
                      polynomial(1.2021132975e-01f, r, 7.3700164250e-01f, 1.0f));
    } else {
        const float r = add(0.180625f, -mul(q, q));
        z = __fdiv_rn(mul(q, polynomial(5.9109374720e01f, r, 1.5929113202e02f, 5.0434271938e01f,
                                        3.3871327179e00f)),
                      polynomial(6.7187563600e01f, r, 7.8757757664e01f, 1.7895169469e01f, 1.0f));
    }
    return __uint_as_float(__float_as_uint(z) | (word & 0x80000000u));
}

// The words of block `index`: (a, b, c, d) is (low and high half of the index, 0, 0) at first.
__device__ __forceinline__ uint4 philox(unsigned long long index, unsigned key0, unsigned key1) {
    unsigned a = (unsigned)index, b = (unsigned)(index >> 32), c = 0, d = 0;
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        const unsigned x = a * 0xd2511f53u, x_high = __umulhi(a, 0xd2511f53u);
        const unsigned y = c * 0xcd9e8d57u, y_high = __umulhi(c, 0xcd9e8d57u);
        a = y_high ^ b ^ key0, b = y;
        c = x_high ^ d ^ key1, d = x;
        key0 += 0x9e3779b9u, key1 += 0xbb67ae85u;
    }
    return make_uint4(a, b, c, d);
}

// The first block of words of this launch; the last thread block to have read it moves it on.
__device__ __forceinline__ unsigned long long advance(unsigned long long* counter, int* ticket,
                                                      int n) {
    const unsigned long long first = *counter;
    __threadfence();  // read before the ticket is drawn
    if (atomicAdd(ticket, 1) == (int)gridDim.x - 1) {
        *counter = first + ((unsigned)n + 3u) / 4u;
        *ticket = 0;
    }
    return first;
}

template <class F>
__device__ __forceinline__ void fill(float* out, unsigned long long first, int n, unsigned key0,
                                     unsigned key1, F number) {
    const unsigned k = blockIdx.x * 256u + threadIdx.x;
    if (4u * k >= (unsigned)n) return;
    const uint4 words = philox(first + k, key0, key1);
    const float4 z = make_float4(number(words.x), number(words.y), number(words.z),
                                 number(words.w));
    const unsigned left = (unsigned)n - 4u * k;
    out += 4u * k;
    if (left >= 4u) {
        *(float4*)out = z;
    } else {
        out[0] = z.x;
        if (left > 1u) out[1] = z.y;
        if (left > 2u) out[2] = z.z;
    }
}

extern "C" __global__ void __launch_bounds__(256)
uniform(float* out, unsigned long long* counter, int* ticket, int n, int key0, int key1) {
    __shared__ unsigned long long first;
    if (threadIdx.x == 0) first = advance(counter, ticket, n);
    __syncthreads();
    fill(out, first, n, (unsigned)key0, (unsigned)key1, [](unsigned w) { return to_uniform(w); });
}

extern "C" __global__ void __launch_bounds__(256)
normal(float* out, unsigned long long* counter, int* ticket, int n, int key0, int key1) {
    __shared__ unsigned long long first;
    if (threadIdx.x == 0) first = advance(counter, ticket, n);
    __syncthreads();
    fill(out, first, n, (unsigned)key0, (unsigned)key1, [](unsigned w) { return to_normal(w); });
}
