// Spills on purpose: 64 sums for each of 1024 threads, of which two blocks shall fit at a time.
extern "C" __global__ void __launch_bounds__(1024, 2) spills(const float* x, float* y, int n) {
    float sums[64];
    for (int i = 0; i < 64; ++i) sums[i] = x[i * 1024 + threadIdx.x];
    for (int k = 0; k < n; ++k) {
#pragma unroll
        for (int i = 0; i < 64; ++i) sums[i] = fmaf(sums[i], sums[(i + 1) % 64], x[k]);
    }
    for (int i = 0; i < 64; ++i) y[i * 1024 + threadIdx.x] = sums[i];
}
