/* minigrad's compiled kernels, for float32 arrays that are contiguous: no Python in here.

   Every function computes one block of a result; which blocks there are, and which thread takes
   which, is decided in Python. What a block gives depends on its numbers alone.

   The file is compiled once for each instruction set (see setup.py), and the vectors are those of
   the set: GCC's and Clang's vector types, whose + and * work on all elements at once. */
#include <math.h>
#include <string.h>

#if defined __AVX512F__
enum { WIDTH = 16, ROWS = 12 }; /* ROWS x 2 vectors of sums have to fit the registers: 32 here, */
#elif defined __AVX__
enum { WIDTH = 8, ROWS = 6 }; /* and 16 here */
#else
enum { WIDTH = 4, ROWS = 6 };
#endif
enum { PANEL = 2 * WIDTH }; /* columns of a product that are computed at a time */
enum { LINE = 16 };         /* floats in a line of the cache */

typedef float vec __attribute__((vector_size(4 * WIDTH)));
typedef int ivec __attribute__((vector_size(4 * WIDTH)));
#define INLINE static inline __attribute__((always_inline))
#define EXPORT __attribute__((visibility("default")))

INLINE vec load(const float *p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}
INLINE void store(float *p, vec v) { memcpy(p, &v, sizeof v); }

/* The first n of a vector, the others 0: n < WIDTH at the end of the channels. What is done for
   some channels is an inline function, called with a constant n and once for the rest. */
INLINE vec load_some(const float *p, long n) {
    vec v = {0};
    if (n >= WIDTH) return load(p);
    for (long i = 0; i < n; i++) v[i] = p[i];
    return v;
}
INLINE void store_some(float *p, vec v, long n) {
    if (n >= WIDTH) store(p, v);
    else
        for (long i = 0; i < n; i++) p[i] = v[i];
}

/* v where y > 0 or y is NaN, 0 elsewhere: as `gate` in minigrad/ops.py. */
INLINE vec gate(vec v, vec y) {
    vec zero = {0};
    return (vec)(~(ivec)(y <= zero) & (ivec)v);
}

INLINE long least(long a, long b) { return a < b ? a : b; }
INLINE long padded(long n, long step) { return (n + step - 1) / step * step; }

EXPORT int panel(void) { return PANEL; }

EXPORT const char *compiler(void) {
#if defined __clang__
    return "clang " __clang_version__;
#else
    return "gcc " __VERSION__;
#endif
}

/* Which text of this file the library was made from, see setup.py. */
EXPORT unsigned source(void) { return SOURCE; }

/* The best instruction set of this machine, as SETS in library.py counts them. */
EXPORT int best_set(void) {
#if defined __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) return 2;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 1;
#endif
    return 0;
}

/* ------------------------------------------------------------------ products
   c (rows, PANEL) = a b, or += where `add`: a's element (r, k) is a[r * row + k * step], b's rows
   are `width` apart. With `rows` constant all the sums stay in registers. */
INLINE void product_of(const int rows, const float *a, long row, long step, const float *b,
                       long width, long depth, float *c, long c_row, int add) {
    vec left[ROWS], right[ROWS];
    for (int r = 0; r < rows; r++) {
        left[r] = right[r] = (vec){0};
        if (add) left[r] = load(c + r * c_row), right[r] = load(c + r * c_row + WIDTH);
    }
    for (long k = 0; k < depth; k++, a += step, b += width) {
        vec b0 = load(b), b1 = load(b + WIDTH);
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) {
            left[r] += a[r * row] * b0;
            right[r] += a[r * row] * b1;
        }
    }
    for (int r = 0; r < rows; r++) {
        store(c + r * c_row, left[r]);
        store(c + r * c_row + WIDTH, right[r]);
    }
}

/* The same for any number of rows. */
static void product(long rows, const float *a, long row, long step, const float *b, long width,
                    long depth, float *c, long c_row, int add) {
    for (; rows >= ROWS; rows -= ROWS, a += ROWS * row, c += ROWS * c_row)
        product_of(ROWS, a, row, step, b, width, depth, c, c_row, add);
#define REST(r) \
    case r: product_of(r, a, row, step, b, width, depth, c, c_row, add); break;
    switch (rows) {
        REST(1) REST(2) REST(3) REST(4) REST(5)
#if defined __AVX512F__
        REST(6) REST(7) REST(8) REST(9) REST(10) REST(11)
#endif
    }
}

/* ------------------------------------------------------------------ Winograd
   F(4x4, 3x3) at the points 0, a, -a, b, -b and infinity, as in minigrad/cpu/winograd.py, whose
   matrices these are: each is written out so that what two rows have in common is computed once. */
#define A 0.75f
#define B 1.5f
#define A2 (A * A)
#define B2 (B * B)

/* B^T d: six pixels to their values at the six points. */
INLINE void input_transform(const vec d[6], vec v[6]) {
    vec even = d[4] - B2 * d[2], odd = A * (d[3] - B2 * d[1]);
    vec even2 = d[4] - A2 * d[2], odd2 = B * (d[3] - A2 * d[1]);
    v[0] = d[4] - (A2 + B2) * d[2] + A2 * B2 * d[0];
    v[1] = even + odd;
    v[2] = even - odd;
    v[3] = even2 + odd2;
    v[4] = even2 - odd2;
    v[5] = d[5] - (A2 + B2) * d[3] + A2 * B2 * d[1];
}

/* A^T m: values at the six points to four outputs. */
INLINE void output_transform(const vec m[6], vec y[4]) {
    vec s = m[1] + m[2], d = m[1] - m[2], s2 = m[3] + m[4], d2 = m[3] - m[4];
    y[0] = m[0] + s + s2;
    y[1] = A * d + B * d2;
    y[2] = A2 * s + B2 * s2;
    y[3] = A2 * A * d + B2 * B * d2 + m[5];
}

/* A y, the adjoint of `output_transform`. */
INLINE void gradient_transform(const vec y[4], vec m[6]) {
    vec even = y[0] + A2 * y[2], odd = A * y[1] + A2 * A * y[3];
    vec even2 = y[0] + B2 * y[2], odd2 = B * y[1] + B2 * B * y[3];
    m[0] = y[0];
    m[1] = even + odd;
    m[2] = even - odd;
    m[3] = even2 + odd2;
    m[4] = even2 - odd2;
    m[5] = y[3];
}

/* A batch of images (n, height, width, channels). */
typedef struct {
    const float *data;
    long height, width, channels;
} Images;

/* Tile t of the grid of 4x4 tiles over `height` x `width` outputs: image and first output. */
typedef struct {
    long image, row, column;
} Tile;
INLINE Tile tile_at(long t, long height, long width) {
    long rows = (height + 3) / 4, columns = (width + 3) / 4;
    return (Tile){t / (rows * columns), 4 * (t / columns % rows), 4 * (t % columns)};
}

/* Six rows of an image from `row` on: each where it begins and how far its pixels are
   apart, which is 0 for rows of `zeros`, outside of the image. */
typedef struct {
    const float *at[6];
    long step[6];
} Rows;
INLINE Rows rows_at(Images x, long image, long row, const float *zeros) {
    Rows rows;
    for (int i = 0; i < 6; i++) {
        int inside = 0 <= row + i && row + i < x.height;
        long above = image * x.height + row + i;
        rows.at[i] = inside ? x.data + above * x.width * x.channels : zeros;
        rows.step[i] = inside ? x.channels : 0;
    }
    return rows;
}

/* How far apart the 36 matrices (tiles, channels) lie: one line of the cache more than they take.
   Without it the distance is often a power of two, and all 36 want the same place in the cache. */
INLINE long apart(long tiles, long channels) { return tiles * channels + LINE; }

enum { STRIP = 8 }; /* tiles side by side whose rows are transformed together */

/* V = B^T d B of `count` tiles side by side, for the line of n channels from c on: rows first, for
   each column of pixels once, although neighbouring tiles share two; then columns. */
INLINE void input_line(Rows rows, long from, long to, long count, long c, long n, float *v,
                       long v_row, long step) {
    vec z[4 * STRIP + 2][LINE / WIDTH][6], d[6], out[6];
    for (long s = 0; s < 4 * count + 2; s++) {
        int inside = from <= s && s < to;
        for (int i = 0; inside && i < 6; i++)
            __builtin_prefetch(rows.at[i] + (s - from) * rows.step[i] + c + 2 * LINE);
        for (int h = 0; h < LINE / WIDTH; h++) {
            for (int i = 0; i < 6; i++) {
                const float *pixel = rows.at[i] + (s - from) * rows.step[i] + c;
                d[i] = inside ? load_some(pixel + h * WIDTH, n - h * WIDTH) : (vec){0};
            }
            input_transform(d, z[s][h]);
        }
    }
    v += c;
    for (long q = 0; q < count; q++, v += v_row) {
        float *to = v;
#pragma GCC unroll 1
        for (int i = 0; i < 6; i++, to += 6 * step)
            for (int h = 0; h < LINE / WIDTH; h++) {
                for (int j = 0; j < 6; j++) d[j] = z[4 * q + j][h][i];
                input_transform(d, out);
                for (int j = 0; j < 6; j++) store(to + j * step + h * WIDTH, out[j]);
            }
    }
}

/* V of the 6x6 pixels around each tile: 36 matrices (tiles, C), C padded to LINE. */
static void input_tiles(Images x, long top, long left, long height, long width, long first,
                        long last, const float *zeros, float *v) {
    long v_row = padded(x.channels, LINE), step = apart(last - first, v_row), count, c;
    for (long t = first; t < last; t += count, v += count * v_row) {
        Tile at = tile_at(t, height, width);
        count = least(least(last - t, STRIP), (width - at.column + 3) / 4);
        Rows rows = rows_at(x, at.image, at.row - top, zeros);
        long from = left - at.column, to = x.width + from; /* columns inside the image */
        for (c = 0; c + LINE <= x.channels; c += LINE)
            input_line(rows, from, to, count, c, LINE, v, v_row, step);
        if (c < x.channels)
            input_line(rows, from, to, count, c, x.channels - c, v, v_row, step);
    }
}

/* The channels from f on of the tile to the right, which comes next: they are on their way while
   this one is computed. Without it the processor waits for memory half of the time, because it does
   not see through so many addresses. */
INLINE void fetch_next(const float *corner, long y_row, long channels, long f, const int write) {
    if (f % LINE) return;
    for (int i = 0; i < 4; i++)
        for (int j = 4; j < 8; j++) {
            const float *at = corner + i * y_row + j * channels + f;
            if (write) __builtin_prefetch(at, 1);
            else __builtin_prefetch(at, 0);
        }
}

/* A y A^T of one tile for n channels from f on. */
INLINE void gradient_vector(const float *corner, long y_row, long channels, long rows, long columns,
                            long f, long n, float *m, long step) {
    vec d[4], z[6][4], out[6];
    fetch_next(corner, y_row, channels, f, 0);
    corner += f, m += f;
#pragma GCC unroll 1
    for (int j = 0; j < 4; j++, corner += channels) {
        for (int i = 0; i < 4; i++)
            d[i] = i < rows && j < columns ? load_some(corner + i * y_row, n) : (vec){0};
        gradient_transform(d, out);
        for (int i = 0; i < 6; i++) z[i][j] = out[i];
    }
#pragma GCC unroll 1
    for (int i = 0; i < 6; i++, m += 6 * step) {
        gradient_transform(z[i], out);
        for (int j = 0; j < 6; j++) store(m + j * step, out[j]);
    }
}

/* A y A^T of the 4x4 outputs of each tile: 36 matrices (tiles, F), F padded to PANEL. */
static void gradient_tiles(Images y, long first, long last, float *m) {
    long f_padded = padded(y.channels, PANEL), step = apart(last - first, f_padded), f;
    for (long t = first; t < last; t++, m += f_padded) {
        Tile at = tile_at(t, y.height, y.width);
        long rows = least(4, y.height - at.row), columns = least(4, y.width - at.column);
        long pixel = (at.image * y.height + at.row) * y.width + at.column, row = y.width * y.channels;
        const float *corner = y.data + pixel * y.channels;
        if (rows == 4 && columns == 4)
            for (f = 0; f + WIDTH <= y.channels; f += WIDTH)
                gradient_vector(corner, row, y.channels, 4, 4, f, WIDTH, m, step);
        else
            for (f = 0; f + WIDTH <= y.channels; f += WIDTH)
                gradient_vector(corner, row, y.channels, rows, columns, f, WIDTH, m, step);
        for (; f < f_padded; f += WIDTH) {
            long n = f < y.channels ? y.channels - f : 0;
            gradient_vector(corner, row, y.channels, rows, columns, f, n, m, step);
        }
    }
}

/* activation(A^T M A + bias) of one tile for n channels from f on. */
INLINE void output_vector(const float *m, long step, float *corner, long y_row, long channels,
                          long rows, long columns, const float *bias, int relu, long f, long n) {
    vec d[6], z[4][6], out[4], b = bias ? load_some(bias + f, n) : (vec){0};
    fetch_next(corner, y_row, channels, f, 1);
    corner += f, m += f;
#pragma GCC unroll 1
    for (int j = 0; j < 6; j++, m += step) {
        for (int i = 0; i < 6; i++) d[i] = load(m + 6 * i * step);
        output_transform(d, out);
        for (int i = 0; i < 4; i++) z[i][j] = out[i];
    }
#pragma GCC unroll 1
    for (int i = 0; i < rows; i++, corner += y_row) {
        output_transform(z[i], out);
        for (int j = 0; j < columns; j++) {
            vec value = bias ? out[j] + b : out[j];
            if (relu) value = gate(value, value);
            store_some(corner + j * channels, value, n);
        }
    }
}

/* The same of all tiles, written to y; what lies outside is cut off. */
static void output_tiles(const float *m, float *y, long height, long width, long channels,
                         const float *bias, int relu, long first, long last) {
    long f_padded = padded(channels, PANEL), step = apart(last - first, f_padded), f;
    for (long t = first; t < last; t++, m += f_padded) {
        Tile at = tile_at(t, height, width);
        long rows = least(4, height - at.row), columns = least(4, width - at.column);
        long row = width * channels;
        float *corner = y + ((at.image * height + at.row) * width + at.column) * channels;
        if (rows == 4 && columns == 4)
            for (f = 0; f + WIDTH <= channels; f += WIDTH)
                output_vector(m, step, corner, row, channels, 4, 4, bias, relu, f, WIDTH);
        else
            for (f = 0; f + WIDTH <= channels; f += WIDTH)
                output_vector(m, step, corner, row, channels, rows, columns, bias, relu, f, WIDTH);
        if (f < channels)
            output_vector(m, step, corner, row, channels, rows, columns, bias, relu, f,
                          channels - f);
    }
}

/* u = G w G^T of a kernel w (3, 3, C, F), as `winograd_convolve` wants it: 36 times the panels of
   PANEL columns (C, PANEL), with zeros beyond F. g is (6, 3). */
EXPORT void winograd_kernel(const float *w, long c_count, long f_count, const float *g, float *u) {
    long f_padded = padded(f_count, PANEL), step = c_count * f_padded;
    for (long c = 0; c < c_count; c++)
        for (long f = 0; f < f_padded; f += WIDTH) {
            vec z[6][3] = {{{0}}};
            float *to = u + (f / PANEL * c_count + c) * PANEL + f % PANEL;
            if (f < f_count)
                for (int a = 0; a < 3; a++)
                    for (int b = 0; b < 3; b++) {
                        vec v = load_some(w + ((3 * a + b) * c_count + c) * f_count + f, least(WIDTH, f_count - f));
                        for (int i = 0; i < 6; i++) z[i][b] += g[3 * i + a] * v;
                    }
            for (int i = 0; i < 6; i++)
                for (int j = 0; j < 6; j++)
                    store(to + (6 * i + j) * step,
                          g[3 * j] * z[i][0] + g[3 * j + 1] * z[i][1] + g[3 * j + 2] * z[i][2]);
        }
}

/* w (3, 3, C, F) = G^T du G, the adjoint, of du (36, C, F padded to PANEL). */
EXPORT void winograd_kernel_gradient(const float *du, long c_count, long f_count, const float *g,
                                     float *w) {
    long f_padded = padded(f_count, PANEL), step = c_count * f_padded;
    for (long c = 0; c < c_count; c++)
        for (long f = 0; f < f_count; f += WIDTH) {
            vec z[6][3] = {{{0}}};
            for (int i = 0; i < 6; i++)
                for (int j = 0; j < 6; j++) {
                    vec v = load(du + (6 * i + j) * step + c * f_padded + f);
                    for (int b = 0; b < 3; b++) z[i][b] += g[3 * j + b] * v;
                }
            for (int a = 0; a < 3; a++)
                for (int b = 0; b < 3; b++) {
                    vec sum = {0};
                    for (int i = 0; i < 6; i++) sum += g[3 * i + a] * z[i][b];
                    store_some(w + ((3 * a + b) * c_count + c) * f_count + f, sum, least(WIDTH, f_count - f));
                }
        }
}

/* How many floats the two functions below need as `scratch`. */
EXPORT long winograd_scratch(long tiles, long c_count, long f_count) {
    long c_padded = padded(c_count, LINE), f_padded = padded(f_count, PANEL);
    return c_padded + f_padded + 36 * (apart(tiles, c_padded) + apart(tiles, f_padded));
}

/* Tiles [first, last) of y = activation(x * w + bias), u being w transformed and packed. */
EXPORT void winograd_convolve(const float *x, long x_height, long x_width, long c_count,
                              const float *u, float *y, long height, long width, long f_count,
                              const float *bias, int relu, long top, long left, long first,
                              long last, float *scratch) {
    long tiles = last - first, c_padded = padded(c_count, LINE), f_padded = padded(f_count, PANEL);
    long v_step = apart(tiles, c_padded), m_step = apart(tiles, f_padded);
    float *zeros = scratch, *v = zeros + c_padded + f_padded, *m = v + 36 * v_step;
    memset(zeros, 0, c_padded * sizeof *zeros);
    input_tiles((Images){x, x_height, x_width, c_count}, top, left, height, width, first, last,
                zeros, v);
    for (int k = 0; k < 36; k++)
        for (long f = 0; f < f_padded; f += PANEL, u += c_count * PANEL)
            product(tiles, v + k * v_step, c_padded, 1, u, PANEL, c_count, m + k * m_step + f,
                    f_padded, 0);
    output_tiles(m, y, height, width, f_count, bias, relu, first, last);
}

/* The same tiles' part of the weight gradient before G: du (36, C, F padded) = or += V^T M. */
EXPORT void winograd_gradient(const float *x, long x_height, long x_width, long c_count,
                              const float *y, long height, long width, long f_count, long top,
                              long left, long first, long last, float *du, int add,
                              float *scratch) {
    long tiles = last - first, c_padded = padded(c_count, LINE), f_padded = padded(f_count, PANEL);
    long v_step = apart(tiles, c_padded), m_step = apart(tiles, f_padded);
    float *zeros = scratch, *v = zeros + c_padded + f_padded, *m = v + 36 * v_step;
    memset(zeros, 0, (c_padded + f_padded) * sizeof *zeros);
    input_tiles((Images){x, x_height, x_width, c_count}, top, left, height, width, first, last,
                zeros, v);
    gradient_tiles((Images){y, height, width, f_count}, first, last, m);
    for (int k = 0; k < 36; k++, du += c_count * f_padded)
        for (long f = 0; f < f_padded; f += PANEL)
            product(c_count, v + k * v_step, 1, c_padded, m + k * m_step + f, f_padded, tiles,
                    du + f, f_padded, add);
}

/* ------------------------------------------------------------------ one channel
   A convolution (any kernel, stride and dilation) between images of one channel and images of many.
   What meets what is read from tables: a pixel of the result in row r and column c meets row
   rows[r * kh + i] of the other image and column columns[c * kw + j] through tap (i, j) of the
   kernel (kh * kw, F), and none where the number is negative. Results are made for rows
   [first, last), counted through the batch. */
enum { TAPS = 64 };
typedef struct {
    long height, width, kh, kw;
    const long *rows, *columns;
} Table; /* height and width are the other image's */
typedef struct {
    int count, tap[TAPS];
    long pixel[TAPS];
} Pairs;
INLINE void meet(Pairs *pairs, Table t, long image, long row, long column) {
    pairs->count = 0;
    for (long i = 0; i < t.kh; i++) {
        long r = t.rows[row * t.kh + i];
        for (long j = 0; r >= 0 && j < t.kw; j++) {
            long c = t.columns[column * t.kw + j];
            if (c < 0) continue;
            pairs->tap[pairs->count] = i * t.kw + j;
            pairs->pixel[pairs->count++] = (image * t.height + r) * t.width + c;
        }
    }
}

enum { WIDE = 4 * WIDTH }; /* channels at a time: four sums, which do not wait for each other */
INLINE void to_many_wide(const Pairs *pairs, const float *one, const float *kernel, long f_count,
                         const float *bias, int relu, float *many, long f, long n) {
    vec v[4];
    for (int h = 0; h < 4; h++)
        v[h] = bias ? load_some(bias + f + h * WIDTH, n - h * WIDTH) : (vec){0};
    for (int k = 0; k < pairs->count; k++) {
        float value = one[pairs->pixel[k]];
        const float *w = kernel + pairs->tap[k] * f_count + f;
        for (int h = 0; h < 4; h++) v[h] += value * load_some(w + h * WIDTH, n - h * WIDTH);
    }
    for (int h = 0; h < 4; h++)
        store_some(many + f + h * WIDTH, relu ? gate(v[h], v[h]) : v[h], n - h * WIDTH);
}
/* many (.., height, width, F) = activation(what `one` gives through the kernel + bias) */
EXPORT void one_to_many(const float *one, long one_height, long one_width, const long *rows,
                        const long *columns, long kh, long kw, const float *kernel,
                        const float *bias, int relu, float *many, long height, long width,
                        long f_count, long first, long last) {
    Table table = {one_height, one_width, kh, kw, rows, columns};
    Pairs pairs;
    for (long row = first; row < last; row++)
        for (long column = 0, f; column < width; column++) {
            float *to = many + (row * width + column) * f_count;
            meet(&pairs, table, row / height, row % height, column);
            for (f = 0; f + WIDE <= f_count; f += WIDE)
                to_many_wide(&pairs, one, kernel, f_count, bias, relu, to, f, WIDE);
            if (f < f_count)
                to_many_wide(&pairs, one, kernel, f_count, bias, relu, to, f, f_count - f);
        }
}

/* one (.., height, width) = activation(the sum of what `many` gives through the kernel + bias) */
EXPORT void many_to_one(const float *many, long many_height, long many_width, const long *rows,
                        const long *columns, long kh, long kw, const float *kernel,
                        const float *bias, int relu, float *one, long height, long width,
                        long f_count, long first, long last) {
    Table table = {many_height, many_width, kh, kw, rows, columns};
    Pairs pairs;
    for (long row = first; row < last; row++)
        for (long column = 0; column < width; column++) {
            vec sum[2] = {{0}};
            meet(&pairs, table, row / height, row % height, column);
            for (int k = 0; k < pairs.count; k++) {
                const float *from = many + pairs.pixel[k] * f_count;
                const float *w = kernel + pairs.tap[k] * f_count;
                long f;
                for (f = 0; f + 2 * WIDTH <= f_count; f += 2 * WIDTH) {
                    sum[0] += load(from + f) * load(w + f);
                    sum[1] += load(from + f + WIDTH) * load(w + f + WIDTH);
                }
                for (; f < f_count; f += WIDTH)
                    sum[0] += load_some(from + f, f_count - f) * load_some(w + f, f_count - f);
            }
            sum[0] += sum[1];
            float total = bias ? *bias : 0;
            for (int i = 0; i < WIDTH; i++) total += sum[0][i];
            one[row * width + column] = relu && total <= 0 ? 0 : total;
        }
}

/* ------------------------------------------------------------------ around the products
   out = g where y > 0, else 0 (with y NULL: nothing is written, out may be NULL), and the sums of
   its columns. Short sums first, of SHORT rows, so that little is lost by rounding; and row by row,
   because memory is fast only where it is read in order. */
enum { SHORT = 64, COLUMNS = 1024 };
INLINE void gate_and_sum_vector(const float *g, const float *y, float *out, float *sum, long n) {
    vec v = load_some(g, n);
    if (y) {
        v = gate(v, load_some(y, n));
        store_some(out, v, n);
    }
    store_some(sum, load_some(sum, n) + v, n);
}
EXPORT void gate_and_sum(const float *g, const float *y, float *out, float *sums, long rows,
                         long channels) {
    float sum[COLUMNS];
    memset(sums, 0, channels * sizeof *sums);
    for (long r0 = 0; r0 < rows; r0 += SHORT)
        for (long f0 = 0; f0 < channels; f0 += COLUMNS) {
            long end = least(rows, r0 + SHORT), width = least(COLUMNS, channels - f0), f;
            memset(sum, 0, width * sizeof *sum);
            for (long r = r0; r < end; r++) {
                long at = r * channels + f0;
                for (f = 0; f + WIDTH <= width; f += WIDTH)
                    gate_and_sum_vector(g + at + f, y ? y + at + f : y, y ? out + at + f : out,
                                        sum + f, WIDTH);
                if (f < width)
                    gate_and_sum_vector(g + at + f, y ? y + at + f : y, y ? out + at + f : out,
                                        sum + f, width - f);
            }
            for (f = 0; f < width; f++) sums[f0 + f] += sum[f];
        }
}

/* y = y + bias, and relu, in place. */
INLINE void add_bias_vector(float *y, const float *bias, int relu, long n) {
    vec v = load_some(y, n) + load_some(bias, n);
    store_some(y, relu ? gate(v, v) : v, n);
}
EXPORT void add_bias(float *y, const float *bias, int relu, long rows, long channels) {
    for (long r = 0, f; r < rows; r++, y += channels) {
        for (f = 0; f + WIDTH <= channels; f += WIDTH) add_bias_vector(y + f, bias + f, relu, WIDTH);
        if (f < channels) add_bias_vector(y + f, bias + f, relu, channels - f);
    }
}

/* A step of Adam, as `Adam.update` in minigrad/optim.py. 1 - beta is taken in double: in float it
   would be off by up to 3e-5 of itself for beta2 = 0.999. */
EXPORT void adam(float *restrict w, const float *restrict g, float *restrict m, float *restrict v, long n, double beta1, double beta2,
                 double size, double epsilon) {
    float b1 = beta1, b2 = beta2, c1 = 1 - beta1, c2 = 1 - beta2, lr = size, eps = epsilon;
    for (long i = 0; i < n; i++) {
        float mean = b1 * m[i] + c1 * g[i], square = b2 * v[i] + c2 * (g[i] * g[i]);
        m[i] = mean, v[i] = square;
        w[i] -= lr * (mean / (sqrtf(square) + eps));
    }
}

/* ------------------------------------------------------------------ binary cross-entropy
   exp(-|x|): 2^k e^r with k whole and |r| <= log(2) / 2, by a polynomial of r (that of Cephes' expf,
   by S. Moshier); 0 where it is below the least normal number, NaN where x is. */
INLINE vec exp_minus_abs(vec x) {
    vec zero = {0}, y = (vec)((ivec)x | (ivec)(-zero)); /* -|x| */
    ivec tiny = y < -87.3f;
    vec shift = zero + 12582912.f; /* adding it rounds to a whole number: 1.5 * 2^23 */
    vec k = (vec)(~((y != y) | tiny) & (ivec)(y * 1.44269504f)) + shift;
    ivec scale = ((ivec)k - (ivec)shift + 127) << 23;
    k -= shift;
    vec r = y - k * 0.693359375f + k * 2.12194440e-4f;
    vec p = 1.9875691500e-4f * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = (p * r * r + r + 1) * (vec)scale;
    return (vec)((ivec)p & ~tiny);
}

/* log(1 + exp(x)) - t x, the negative logarithm of a Bernoulli distribution with the logit x; its
   log(1 + exp(-|x|)) as in minigrad/cpu/elementwise.py, whose coefficients these are. */
INLINE void bernoulli_nll_vector(const float *x, const float *t, float *out, long n) {
    vec zero = {0}, v = load_some(x, n), e = exp_minus_abs(v);
    vec z = e / (2 + e), q = z * z;
    vec rest = ((0.268515f * q + 0.2823662f) * q + 0.4000756f) * q + 0.6666664f;
    vec positive = (vec)(~(ivec)(v < zero) & (ivec)v); /* max(x, 0), NaN where x is */
    store_some(out, positive - load_some(t, n) * v + (2 * z + z * (q * rest)), n);
}
EXPORT void bernoulli_nll(const float *x, const float *t, float *out, long n) {
    long i = 0;
    for (; i + WIDTH <= n; i += WIDTH) bernoulli_nll_vector(x + i, t + i, out + i, WIDTH);
    if (i < n) bernoulli_nll_vector(x + i, t + i, out + i, n - i);
}

/* s (sigmoid(x) - t): its derivative by x, times s, an array, or where that is NULL a number. */
INLINE void bernoulli_slope_vector(const float *s, float number, const float *x, const float *t,
                                   float *out, long n) {
    vec zero = {0}, v = load_some(x, n), e = exp_minus_abs(v), one = zero + 1;
    ivec negative = v < zero;
    vec above = (vec)((negative & (ivec)e) | (~negative & (ivec)one));
    vec factor = s ? load_some(s, n) : zero + number;
    store_some(out, (above / (1 + e) - load_some(t, n)) * factor, n);
}
EXPORT void bernoulli_slope(const float *s, double number, const float *x, const float *t,
                            float *out, long n) {
    long i = 0;
    for (; i + WIDTH <= n; i += WIDTH)
        bernoulli_slope_vector(s ? s + i : s, number, x + i, t + i, out + i, WIDTH);
    if (i < n) bernoulli_slope_vector(s ? s + i : s, number, x + i, t + i, out + i, n - i);
}
