// total = sum(x (n,)): each block leaves a part, the last block to finish adds them up. Correct;
// the tests leave out the fence, the reset of the ticket, or the fixed order.
extern "C" __global__ void __launch_bounds__(64)
last_block(const float* x, float* parts, float* total, int* ticket, int n) {
    __shared__ float sums[64];
    __shared__ bool last;
    const int t = threadIdx.x;
    const int i = blockIdx.x * 64 + t;
    sums[t] = i < n ? x[i] : 0;
    __syncthreads();
    for (int half = 32; half > 0; half /= 2) {
        if (t < half) sums[t] += sums[t + half];
        __syncthreads();
    }
    if (t == 0) {
        parts[blockIdx.x] = sums[0];
        __threadfence();
        last = atomicAdd(ticket, 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (last && t == 0) {
        float sum = 0;
        for (int b = 0; b < gridDim.x; ++b) sum += parts[b];
        total[0] = sum;
        ticket[0] = 0;
    }
}
