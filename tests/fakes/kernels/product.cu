// c (M, N) = a (M, K) b (K, N) in tiles of 8 x 8: correct; the tests remove one of its barriers.
#ifndef TILE
#define TILE 8
#endif
extern "C" __global__ void __launch_bounds__(TILE * TILE)
product(const float* a, const float* b, float* c, int M, int N, int K) {
    __shared__ float tile_a[TILE][TILE + 1], tile_b[TILE][TILE];
    const int x = threadIdx.x, y = threadIdx.y;
    const int row = blockIdx.y * TILE + y, column = blockIdx.x * TILE + x;
    float sum = 0;
    for (int k0 = 0; k0 < K; k0 += TILE) {
        tile_a[y][x] = row < M && k0 + x < K ? a[row * K + k0 + x] : 0;
        tile_b[y][x] = column < N && k0 + y < K ? b[(k0 + y) * N + column] : 0;
        __syncthreads();
        for (int k = 0; k < TILE; ++k) sum = fmaf(tile_a[y][k], tile_b[k][x], sum);
        __syncthreads();
    }
    if (row < M && column < N) c[row * N + column] = sum;
}
