// The activations at the end of a layer, numbered as in the Python that launches it: 0 for none,
// 1 for relu, 2 for sigmoid, 3 for tanh. Expects no macros.

// Called, not written out: at each of a thread's results that would be most of the code.
__device__ __attribute__((noinline)) float curved(float y, int activation) {
    return activation == 2 ? 1.f / (1.f + expf(-y)) : tanhf(y);
}

__device__ __forceinline__ float activated(float y, int activation) {
    if (activation == 1) return y <= 0.f ? 0.f : y;  // NaN stays NaN
    return activation ? curved(y, activation) : y;
}
