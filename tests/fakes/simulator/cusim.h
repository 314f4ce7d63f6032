// CUDA C for g++: just what the kernels of this project use, to run their unchanged text on a CPU.
//
// Only C headers, because each kernel is compiled with this text: it has to compile in no time.
#pragma once
#define _GLIBCXX_INCLUDE_NEXT_C_HEADERS  // math.h as C knows it: libstdc++'s is large
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#if !defined(__x86_64__) || defined(CUSIM_UCONTEXT)
#include <ucontext.h>
#endif

// ---------------------------------------------------------------- words of the language
#define __CUSIM__ 1
#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
// __shared__ is defined before each kernel: a section of its own, which is poisoned before a block

#define CUSIM_VECTORS(T, V)                                                       \
    struct alignas(2 * sizeof(T)) V##2 { T x, y; };                               \
    struct V##3 { T x, y, z; };                                                   \
    struct alignas(sizeof(T) == 8 ? 16 : 4 * sizeof(T)) V##4 { T x, y, z, w; };   \
    inline V##2 make_##V##2(T x, T y) { return {x, y}; }                          \
    inline V##3 make_##V##3(T x, T y, T z) { return {x, y, z}; }                  \
    inline V##4 make_##V##4(T x, T y, T z, T w) { return {x, y, z, w}; }
CUSIM_VECTORS(float, float)
CUSIM_VECTORS(int, int)
CUSIM_VECTORS(unsigned, uint)
CUSIM_VECTORS(double, double)
struct dim3 {
    unsigned x, y, z;
};
static uint3 threadIdx, blockIdx;
static dim3 blockDim, gridDim;
static constexpr int warpSize = 32;

#include "fibers.h"
#include "checks.h"

// ---------------------------------------------------------------- waiting for one another
namespace cusim {
static char *shared_begin, *shared_end;

template <class T> inline T exchange(unsigned mask, T value, int source, int line) {
    static_assert(sizeof(T) <= 8, "a shuffle moves at most eight bytes");
    Fiber& me = fibers[current];
    if (!(mask >> (current & 31) & 1)) {
        say("line %d: lane %u is not in its own mask %08x", line, current & 31, mask);
        give_up();
    }
    me.mask = mask;
    me.source = source;
    __builtin_memcpy(&me.value, &value, sizeof value);
    wait(AT_WARP, line);
    __builtin_memcpy(&value, &me.got, sizeof value);
    return value;
}
inline int lane() { return current & 31; }
// Lanes outside the segment of `width` lanes keep their own value, as the PTX ISA has it.
inline int lane_below(int d, int width) { return lane() % width >= d ? lane() - d : lane(); }
inline int lane_above(int d, int width) { return lane() % width + d < width ? lane() + d : lane(); }
inline int lane_across(int bits, int width) {
    const int to = lane() ^ bits;
    return to / width <= lane() / width ? to & 31 : lane();
}
inline int lane_at(int from, int width) { return lane() / width * width + (from & (width - 1)); }
constexpr int width_of(int width = 32) { return width; }
}  // namespace cusim
#define __syncthreads() cusim::wait(cusim::AT_BARRIER, __LINE__)
inline void cusim_syncwarp(int line, unsigned mask = 0xffffffffu) {
    cusim::exchange(mask, 0, cusim::lane(), line);
}
#define __syncwarp(...) cusim_syncwarp(__LINE__ __VA_OPT__(, ) __VA_ARGS__)
#define CUSIM_SHUFFLE(mask, value, lane_to, arg, ...)                                     \
    cusim::exchange(mask, value, cusim::lane_to(arg, cusim::width_of(__VA_ARGS__)), __LINE__)
#define __shfl_sync(mask, value, from, ...) CUSIM_SHUFFLE(mask, value, lane_at, from, __VA_ARGS__)
#define __shfl_up_sync(mask, value, by, ...) CUSIM_SHUFFLE(mask, value, lane_below, by, __VA_ARGS__)
#define __shfl_down_sync(mask, value, by, ...) \
    CUSIM_SHUFFLE(mask, value, lane_above, by, __VA_ARGS__)
#define __shfl_xor_sync(mask, value, bits, ...) \
    CUSIM_SHUFFLE(mask, value, lane_across, bits, __VA_ARGS__)

// ---------------------------------------------------------------- memory
inline void __threadfence() { cusim::fibers[cusim::current].fenced = true; }
// In device memory the blocks of this project count one another, and nothing else: the counting
// thread must have made visible what its block has written.
// Only integers: the order in which floats would be added is chance.
namespace cusim {
template <class T> inline T count(T* p, T value, int line) {
    const char* at = reinterpret_cast<const char*>(p);
    if (at < shared_begin || at >= shared_end) {
        if (!fibers[current].fenced) {
            say("line %d: atomicAdd without a __threadfence() before it", line);
            give_up();
        }
        fibers[current].fenced = false;
    }
    const T old = *p;
    *p = old + value;
    return old;
}
}  // namespace cusim
inline int cusim_atomic(int* p, int v, int line) { return cusim::count(p, v, line); }
inline unsigned cusim_atomic(unsigned* p, unsigned v, int line) { return cusim::count(p, v, line); }
inline unsigned long long cusim_atomic(unsigned long long* p, unsigned long long v, int line) {
    return cusim::count(p, v, line);
}
#define atomicAdd(p, value) cusim_atomic(p, value, __LINE__)
template <class T> inline T __ldg(const T* p) { return *p; }
template <class T> inline T __ldcg(const T* p) { return *p; }
template <class T> inline T __ldcs(const T* p) { return *p; }
template <class T> inline void __stcs(T* p, T value) { *p = value; }
template <class T> inline void __stcg(T* p, T value) { *p = value; }

#include "numbers.h"
#include "launch.h"
