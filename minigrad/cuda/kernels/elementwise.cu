// Elementwise functions of float32 arrays of one shape, with the results of the reference:
//   gate              0 where y <= 0, else x
//   scaled_difference s (p - t)
//   bernoulli_nll     max(x, 0) - t x + log(1 + exp(-|x|))
//   bernoulli_slope   s (1 / (1 + exp(-x)) - t)
//
// Arrays are flat and contiguous: n numbers each. An argument with `one` beside it may be a single
// number instead, which stands for all places (the gradient of a sum); it is read here, so that
// the host never waits for it.
//
// Nothing is computed twice and nothing shared: what counts is memory. One thread does four
// neighbours with 16-byte loads and stores. The first `quads` threads do that; each thread after
// them does one of the n - 4 quads numbers that are left. The host passes quads = n / 4, or 0
// where an array does not begin at a multiple of 16 bytes.
//
// __fmul_rn and __fadd_rn keep the compiler from fusing them, so that the bits are NumPy's.

struct Operand {
    const float* data;
    int one;
    __device__ float at(unsigned i) const { return __ldg(data + (one ? 0 : i)); }
    __device__ float4 four(unsigned quad) const {
        if (!one) return __ldg((const float4*)data + quad);
        const float v = __ldg(data);
        return make_float4(v, v, v, v);
    }
};

template <class F, class... V>
__device__ __forceinline__ float4 on_four(F f, V... v) {
    return make_float4(f(v.x...), f(v.y...), f(v.z...), f(v.w...));
}

template <class F, class... O>
__device__ __forceinline__ void map(float* out, int n, int quads, F f, O... operands) {
    const unsigned i = blockIdx.x * 256u + threadIdx.x;  // unsigned: it may pass n = 2^31 - 1
    if (i < (unsigned)quads) {
        ((float4*)out)[i] = on_four(f, operands.four(i)...);
    } else {
        const unsigned single = i + 3u * quads;
        if (single < (unsigned)n) out[single] = f(operands.at(single)...);
    }
}

extern "C" __global__ void __launch_bounds__(256)
gate(const float* x, int x_is_one, const float* y, float* out, int n, int quads) {
    map(out, n, quads, [](float a, float b) { return b <= 0.0f ? 0.0f : a; },  // a where b is NaN
        Operand{x, x_is_one}, Operand{y, 0});
}

extern "C" __global__ void __launch_bounds__(256)
scaled_difference(const float* s, int s_is_one, const float* p, const float* t, float* out,
                  int n, int quads) {
    map(out, n, quads, [](float a, float b, float c) { return __fmul_rn(a, __fadd_rn(b, -c)); },
        Operand{s, s_is_one}, Operand{p, 0}, Operand{t, 0});
}

extern "C" __global__ void __launch_bounds__(256)
bernoulli_nll(const float* x, const float* t, float* out, int n, int quads) {
    map(out, n, quads,
        [](float a, float b) {
            const float positive = a <= 0.0f ? 0.0f : a;  // NaN stays NaN
            return __fadd_rn(__fadd_rn(positive, -__fmul_rn(b, a)), log1pf(expf(-fabsf(a))));
        },
        Operand{x, 0}, Operand{t, 0});
}

extern "C" __global__ void __launch_bounds__(256)
bernoulli_slope(const float* s, int s_is_one, const float* x, const float* t, float* out,
                int n, int quads) {
    map(out, n, quads,
        [](float a, float b, float c) {
            const float sigmoid = __fdiv_rn(1.0f, __fadd_rn(1.0f, expf(-b)));
            return __fmul_rn(a, __fadd_rn(sigmoid, -c));
        },
        Operand{s, s_is_one}, Operand{x, 0}, Operand{t, 0});
}
