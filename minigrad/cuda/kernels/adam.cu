// One step of Adam (D. Kingma and J. Ba, 2015) for all parameters in one launch:
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,
//   w = w - size m / (sqrt(v) + epsilon'),  size = lr sqrt(1 - beta2^t) / (1 - beta1^t),
// epsilon' = epsilon sqrt(1 - beta2^t), or epsilon itself with epsilon_hat; before that either
// g = g + decay w, or w = (1 - lr decay) w where the decay is decoupled (AdamW).
//
// The arrays come as a table by value, in the kernel's arguments: nothing is copied to the device
// beforehand. Each block does 4096 neighbouring numbers of one parameter; first[k] is the block
// with which parameter k begins. Memory is what counts: 28 bytes for each parameter.
//
// Each parameter has a row {t, beta1^t, beta2^t, lr} of `state`, which lies on the device: it counts
// its own steps, so a gradient that comes late is corrected as a first one. All blocks compute with
// advanced values; the block that is the last to have read them writes them back. So a captured
// launch counts its steps when it is replayed. What is one number for a parameter is computed in
// double, as Python does; the rest in float, each operation rounded on its own, as NumPy does.

#include "last_block.cuh"

constexpr int TENSORS = 88;  // the table must stay below 4 KB together with the other arguments
constexpr int PER_BLOCK = 4096;

struct Table {
    unsigned long long w[TENSORS], g[TENSORS], m[TENSORS], v[TENSORS];
    int size[TENSORS];
    int first[TENSORS + 1];  // from `count` on: the number of blocks
    int row[TENSORS];        // of `state`
    int count;
    double beta1, beta2, epsilon, decay;
};

struct Numbers {  // of the step, the same for all elements of a parameter
    float beta1, rest1, beta2, rest2, epsilon, size, decay;
};

template <bool DECOUPLED>
__device__ __forceinline__ void update(float& w, float g, float& m, float& v, const Numbers& a) {
    if (DECOUPLED)
        w = __fmul_rn(w, a.decay);
    else if (a.decay != 0.0f)
        g = __fadd_rn(g, __fmul_rn(a.decay, w));
    m = __fadd_rn(__fmul_rn(m, a.beta1), __fmul_rn(a.rest1, g));
    v = __fadd_rn(__fmul_rn(v, a.beta2), __fmul_rn(__fmul_rn(g, g), a.rest2));
    const float change = __fdiv_rn(m, __fadd_rn(__fsqrt_rn(v), a.epsilon));
    w = __fadd_rn(w, -__fmul_rn(change, a.size));
}

template <bool DECOUPLED>
__device__ __forceinline__ void update_block(float* __restrict__ w, const float* __restrict__ g,
                                             float* __restrict__ m, float* __restrict__ v,
                                             int begin, int size, const Numbers& a) {
    const bool aligned = (((size_t)w | (size_t)g | (size_t)m | (size_t)v) & 15) == 0;
    const int count = min(PER_BLOCK, size - begin), quads = aligned ? count / 4 : 0;
    w += begin, g += begin, m += begin, v += begin;  // a multiple of 4: as aligned as before
    for (int i = threadIdx.x; i < quads; i += 256) {
        float4 w4 = ((float4*)w)[i], m4 = ((float4*)m)[i], v4 = ((float4*)v)[i];
        const float4 g4 = __ldg((const float4*)g + i);
        update<DECOUPLED>(w4.x, g4.x, m4.x, v4.x, a);
        update<DECOUPLED>(w4.y, g4.y, m4.y, v4.y, a);
        update<DECOUPLED>(w4.z, g4.z, m4.z, v4.z, a);
        update<DECOUPLED>(w4.w, g4.w, m4.w, v4.w, a);
        ((float4*)w)[i] = w4, ((float4*)m)[i] = m4, ((float4*)v)[i] = v4;
    }
    for (int i = 4 * quads + threadIdx.x; i < count; i += 256)
        update<DECOUPLED>(w[i], __ldg(g + i), m[i], v[i], a);
}

// The numbers of the next step of the parameter with the row `state`.
__device__ __forceinline__ Numbers next_step(const Table& table, const double* state,
                                             int epsilon_hat, int decoupled) {
    const double lr = state[3];
    const double power1 = __dmul_rn(state[1], table.beta1);
    const double power2 = __dmul_rn(state[2], table.beta2);
    const double correction = sqrt(1.0 - power2);
    Numbers a;
    a.beta1 = (float)table.beta1, a.rest1 = (float)(1.0 - table.beta1);
    a.beta2 = (float)table.beta2, a.rest2 = (float)(1.0 - table.beta2);
    a.epsilon = (float)(epsilon_hat ? table.epsilon : __dmul_rn(table.epsilon, correction));
    a.size = (float)(__dmul_rn(lr, correction) / (1.0 - power1));
    const double shrink = __dadd_rn(1.0, -__dmul_rn(lr, table.decay));
    a.decay = (float)(decoupled ? shrink : table.decay);
    return a;
}

// Counts the step for all parameters of the table.
__device__ __forceinline__ void advance(const Table& table, double* state) {
    for (int i = threadIdx.x; i < table.count; i += 256) {
        double* row = state + 4 * table.row[i];
        row[0] += 1.0;
        row[1] = __dmul_rn(row[1], table.beta1);
        row[2] = __dmul_rn(row[2], table.beta2);
    }
}

extern "C" __global__ void __launch_bounds__(256)
adam(const Table table, double* state, int* ticket, int epsilon_hat, int decoupled) {
    __shared__ Numbers shared;
    __shared__ int arrived;
    const int block = blockIdx.x;
    int k = 0, end = table.count;  // the last k with first[k] <= block
    while (end - k > 1) {
        const int middle = (k + end) / 2;
        if (table.first[middle] <= block) k = middle; else end = middle;
    }
    if (threadIdx.x == 0) shared = next_step(table, state + 4 * table.row[k], epsilon_hat, decoupled);
    if (is_last(ticket, gridDim.x, threadIdx.x, &arrived)) advance(table, state);
    const Numbers a = shared;
    float *w = (float*)table.w[k], *m = (float*)table.m[k], *v = (float*)table.v[k];
    const float* g = (const float*)table.g[k];
    const int begin = (block - table.first[k]) * PER_BLOCK, size = table.size[k];
    if (decoupled)
        update_block<true>(w, g, m, v, begin, size, a);
    else
        update_block<false>(w, g, m, v, begin, size, a);
}
