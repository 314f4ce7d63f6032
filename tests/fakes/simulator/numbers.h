// CUDA's arithmetic for g++: functions that C lacks, and C's functions of double for float.
//
// Everything is compiled with -ffp-contract=off, so that a product and a sum are rounded each on
// its own unless the kernel says fmaf: __fmul_rn(a, b) is a * b.
#pragma once

// ---------------------------------------------------------------- overloads, as in CUDA
template <class A, class B> struct CusimWider { using type = decltype(A() + B()); };
template <class A, class B> inline typename CusimWider<A, B>::type min(A a, B b) {
    using T = typename CusimWider<A, B>::type;
    return T(b) < T(a) ? T(b) : T(a);
}
template <class A, class B> inline typename CusimWider<A, B>::type max(A a, B b) {
    using T = typename CusimWider<A, B>::type;
    return T(a) < T(b) ? T(b) : T(a);
}
inline float min(float a, float b) { return fminf(a, b); }  // of a NaN and a number the number
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
inline int abs(int a) { return a < 0 ? -a : a; }
inline float abs(float a) { return fabsf(a); }
inline double abs(double a) { return fabs(a); }
#define CUSIM_FLOAT(name) \
    inline float name(float x) { return name##f(x); }
CUSIM_FLOAT(exp) CUSIM_FLOAT(log) CUSIM_FLOAT(sqrt) CUSIM_FLOAT(tanh) CUSIM_FLOAT(fabs)
CUSIM_FLOAT(floor) CUSIM_FLOAT(ceil) CUSIM_FLOAT(log1p) CUSIM_FLOAT(expm1) CUSIM_FLOAT(rint)
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }

// ---------------------------------------------------------------- one rounding, to nearest
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fsqrt_rn(float a) { return sqrtf(a); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __dsqrt_rn(double a) { return sqrt(a); }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
inline float __double2float_rn(double a) { return float(a); }
inline float __int2float_rn(int a) { return float(a); }
inline float __uint2float_rn(unsigned a) { return float(a); }

// ---------------------------------------------------------------- integers and bits
inline unsigned __umulhi(unsigned a, unsigned b) { return uint64_t(a) * b >> 32; }
inline int __mulhi(int a, int b) { return int64_t(a) * b >> 32; }
inline int __clz(int a) { return a ? __builtin_clz(unsigned(a)) : 32; }
inline int __popc(unsigned a) { return __builtin_popcount(a); }
template <class To, class From> inline To cusim_bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "the same number of bits");
    To to;
    __builtin_memcpy(&to, &from, sizeof to);
    return to;
}
inline unsigned __float_as_uint(float a) { return cusim_bits<unsigned>(a); }
inline int __float_as_int(float a) { return cusim_bits<int>(a); }
inline float __uint_as_float(unsigned a) { return cusim_bits<float>(a); }
inline float __int_as_float(int a) { return cusim_bits<float>(a); }
inline long long __double_as_longlong(double a) { return cusim_bits<long long>(a); }
inline double __longlong_as_double(long long a) { return cusim_bits<double>(a); }

// ---------------------------------------------------------------- tensor cores
// mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32: d (16, 8) += a (16, 8) b (8, 8) by a warp.
// With g = lane / 4 and t = lane % 4 a lane holds (PTX ISA, "Matrix fragments for mma.m16n8k8"):
//   a[0] = a(g, t)  a[1] = a(g + 8, t)  a[2] = a(g, t + 4)  a[3] = a(g + 8, t + 4)
//   b[0] = b(t, g)  b[1] = b(t + 4, g)
//   d[0] = d(g, 2t)  d[1] = d(g, 2t + 1)  d[2] = d(g + 8, 2t)  d[3] = d(g + 8, 2t + 1)
// The unit drops the 13 lower bits of its operands. The order of its sum is not documented, but that
// it rounds towards zero has been measured (M. Fasi et al., "Numerical behavior of NVIDIA tensor
// cores", 2021), here once.
namespace cusim {
static float operands[2][MAX_THREADS][6];  // two, as a lane can be one product ahead of another
static inline float towards_zero(double exact) {
    const float near = float(exact);
    return fabs(near) > fabs(exact) && !__builtin_isinf(near) ? nextafterf(near, 0.f) : near;
}
}  // namespace cusim
inline void cusim_mma_m16n8k8(float* d, const unsigned* a, const unsigned* b, int line) {
    using namespace cusim;
    if (threads - warp_of(current) < 32) {
        say("line %d: mma needs a warp of 32 threads", line);
        give_up();
    }
    auto& lanes = operands[fibers[current].odd ^= 1];
    float* mine = lanes[current];
    for (int i = 0; i < 4; ++i) mine[i] = __uint_as_float(a[i] & 0xffffe000u);
    for (int i = 0; i < 2; ++i) mine[4 + i] = __uint_as_float(b[i] & 0xffffe000u);
    exchange(0xffffffffu, 0, lane(), line);
    const unsigned warp = warp_of(current), g = lane() / 4, t = lane() % 4;
    for (unsigned i = 0; i < 4; ++i) {
        const unsigned row = g + i / 2 * 8, column = 2 * t + i % 2;
        double sum = d[i];
        for (unsigned k = 0; k < 8; ++k)
            sum += double(lanes[warp + row % 8 * 4 + k % 4][row / 8 + k / 4 * 2]) *
                   lanes[warp + column * 4 + k % 4][4 + k / 4];
        d[i] = towards_zero(sum);
    }
}
