// The first rung: convolution as its formula says it, one thread for each number of the result.
// docs/first_kernel.md reads it, and leads in five steps from here to convolution.cu.
//
//   y[n, p, q, f] = sum over i, j, c of x[n, p s + i d - top, q s + j d - left, c] w[i, j, c, f]
struct Shape {
    int images, height, width, channels, rows, columns, filters;  // of x; rows to filters: of y
    int kernel_height, kernel_width, stride_y, stride_x, top, left, dilation_y, dilation_x;
};

extern "C" __global__ void naive_y(const float* x, const float* w, float* y, Shape s) {
    const int own = blockIdx.x * blockDim.x + threadIdx.x;  // the number of y that is this thread's
    if (own >= s.images * s.rows * s.columns * s.filters) return;
    const int f = own % s.filters, q = own / s.filters % s.columns;
    const int p = own / s.filters / s.columns % s.rows, n = own / s.filters / s.columns / s.rows;
    float sum = 0.f;
    for (int i = 0; i < s.kernel_height; ++i) {
        for (int j = 0; j < s.kernel_width; ++j) {
            const int row = p * s.stride_y + i * s.dilation_y - s.top;
            const int column = q * s.stride_x + j * s.dilation_x - s.left;
            const bool inside = row >= 0 && row < s.height && column >= 0 && column < s.width;
            const int pixel = (n * s.height + row) * s.width + column, tap = i * s.kernel_width + j;
            for (int c = 0; c < s.channels; ++c) {
                const float value = inside ? x[pixel * s.channels + c] : 0.f;
                sum += value * w[(tap * s.channels + c) * s.filters + f];
            }
        }
    }
    y[own] = sum;
}

// The adjoint in the images: x[n, h, v, c] is the sum of y[n, p, q, f] w[i, j, c, f] over the f, i
// and j for which p s + i d - top = h with a whole p, and q likewise.
extern "C" __global__ void naive_x(const float* y, const float* w, float* x, Shape s) {
    const int own = blockIdx.x * blockDim.x + threadIdx.x;
    if (own >= s.images * s.height * s.width * s.channels) return;
    const int c = own % s.channels, v = own / s.channels % s.width;
    const int h = own / s.channels / s.width % s.height, n = own / s.channels / s.width / s.height;
    float sum = 0.f;
    for (int i = 0; i < s.kernel_height; ++i) {
        for (int j = 0; j < s.kernel_width; ++j) {
            const int down = h + s.top - i * s.dilation_y, across = v + s.left - j * s.dilation_x;
            const int p = down / s.stride_y, q = across / s.stride_x;
            if (down < 0 || down % s.stride_y || p >= s.rows) continue;
            if (across < 0 || across % s.stride_x || q >= s.columns) continue;
            const int pixel = (n * s.rows + p) * s.columns + q, tap = i * s.kernel_width + j;
            for (int f = 0; f < s.filters; ++f)
                sum += y[pixel * s.filters + f] * w[(tap * s.channels + c) * s.filters + f];
        }
    }
    x[own] = sum;
}

// The weight gradient: w[i, j, c, f] is the sum over n, p and q of what meets in the first formula.
extern "C" __global__ void naive_w(const float* x, const float* y, float* w, Shape s) {
    const int own = blockIdx.x * blockDim.x + threadIdx.x;
    if (own >= s.kernel_height * s.kernel_width * s.channels * s.filters) return;
    const int f = own % s.filters, c = own / s.filters % s.channels;
    const int tap = own / s.filters / s.channels;
    const int i = tap / s.kernel_width, j = tap % s.kernel_width;
    float sum = 0.f;
    for (int n = 0; n < s.images; ++n) {
        for (int p = 0; p < s.rows; ++p) {
            for (int q = 0; q < s.columns; ++q) {
                const int row = p * s.stride_y + i * s.dilation_y - s.top;
                const int column = q * s.stride_x + j * s.dilation_x - s.left;
                const bool inside = row >= 0 && row < s.height && column >= 0 && column < s.width;
                const int from = (n * s.height + row) * s.width + column;
                const float value = inside ? x[from * s.channels + c] : 0.f;
                sum += value * y[((n * s.rows + p) * s.columns + q) * s.filters + f];
            }
        }
    }
    w[own] = sum;
}
