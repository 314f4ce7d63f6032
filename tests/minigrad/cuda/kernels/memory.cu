// Faulty on purpose, but for the first: each touches memory that is not its own, which only
// AddressSanitizer sees; `n` is 1.
extern "C" __global__ void good(float* x, int n) {
    __shared__ float s[64];
    s[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    x[threadIdx.x] = s[63 - threadIdx.x] + n;
}
extern "C" __global__ void reads_past_the_end(float* x, int n) {
    const float next = x[threadIdx.x + n];  // line 10
    x[threadIdx.x] = next;
}
extern "C" __global__ void writes_past_the_end(float* x, int n) {
    x[threadIdx.x + n] = 1;  // line 14
}
extern "C" __global__ void runs_into_other_shared_memory(float* x, int n) {
    __shared__ float s[64], other[64];
    float* p = s;
    other[threadIdx.x] = 1;
    __syncthreads();
    p[threadIdx.x + n] = 2;  // line 21
    __syncthreads();
    x[threadIdx.x] = s[threadIdx.x] + other[threadIdx.x];
}
extern "C" __global__ void runs_past_its_registers(float* x, int n) {
    float t[4] = {1, 2, 3, 4};
    float* p = t;
    for (int i = 0; i < 4 + n; ++i) p[i] = x[i];  // line 28
    for (int i = 0; i < 4; ++i) x[i] = t[3 - i];
}
extern "C" __global__ void reads_a_float4_past_the_end(float* x, int n) {
    const float4 v = *reinterpret_cast<const float4*>(x + 60 + 4 * n);  // line 32
    x[0] = v.w;
}
