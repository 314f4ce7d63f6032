// A batch: out[i] = data[order[cursor * count + i]] for count rows, then cursor = cursor + 1.
//
// The cursor lies on the device, so that a captured launch takes the next batch when it is
// replayed; the block that is the last to have read it advances it. Rows are copied as words of 4
// bytes, four at a time (UNITS of 16 bytes) where a row has a multiple of 16. A row that is not
// there, because `order` has come to its end or names no row of data, becomes all ones: NaN, in
// float32 and in float64.

template <class T>
__device__ __forceinline__ void copy_rows(const T* __restrict__ data, const int* __restrict__ order,
                                          int* cursor, int* ticket, T* __restrict__ out, int rows,
                                          int length, int count, int width, T missing,
                                          int* batch) {
    if (threadIdx.x == 0) {
        *batch = *cursor;
        __threadfence();  // read before the ticket is drawn
        if (atomicAdd(ticket, 1) == (int)gridDim.x - 1) {
            *cursor = *batch + 1;
            *ticket = 0;
        }
    }
    __syncthreads();
    const unsigned i = blockIdx.x * 256u + threadIdx.x;
    const unsigned row = i / width, column = i % width;
    if (row >= (unsigned)count) return;
    const long long place = (long long)*batch * count + row;
    const int from = place >= 0 && place < length ? __ldg(order + place) : -1;
    const bool there = from >= 0 && from < rows;
    out[i] = there ? __ldg(data + (long long)from * width + column) : missing;
}

extern "C" __global__ void __launch_bounds__(256)
gather_16(const float* data, const int* order, int* cursor, int* ticket, float* out, int rows,
          int length, int count, int width) {
    __shared__ int batch;
    const float nan = __uint_as_float(0xffffffffu);
    copy_rows((const float4*)data, order, cursor, ticket, (float4*)out, rows, length, count, width,
              make_float4(nan, nan, nan, nan), &batch);
}

extern "C" __global__ void __launch_bounds__(256)
gather_4(const float* data, const int* order, int* cursor, int* ticket, float* out, int rows,
         int length, int count, int width) {
    __shared__ int batch;
    copy_rows(data, order, cursor, ticket, out, rows, length, count, width,
              __uint_as_float(0xffffffffu), &batch);
}
