/* depthwise_body.h - one row of a depthwise convolution, vectorised over channels. A body: included
 * by each isa_<isa>.c behind its vec_<isa>.h.
 *
 * Up to seven neighbouring outputs are computed at once, all in registers, column by column: each
 * input is loaded once for all outputs that it is part of. Kernel 3, stride 1:
 *
 *      column      0    1    2    3    4    5    6    7    8     (of one row ky, V_N channels each)
 *      output 0    w0   w1   w2
 *      output 1         w0   w1   w2
 *      ...                                  ...
 *      output 6                                  w0   w1   w2
 *
 * Seven, because rows of 7, 14, 28, 56 and 112 pixels are then cut without a rest. Columns outside
 * the row are left out. Other kernels and strides, and channels behind the last full vector, go one
 * output at a time. Every output adds its taps in the same order (ky, then kx). */

/* X(output) */
#define EACH_OUTPUT(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6)
/* X(column): as many as seven outputs of kernel 5 and stride 2 see */
#define EACH_COLUMN(X)                                                                             \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16)
enum { OUTPUTS = 7 };

/* What a chunk of outputs is: constants at every call of chunk_body, which makes each call a kernel
 * of its own. */
typedef struct chunk {
    int count, kernel, stride;
    int edges; /* 1: some columns may be outside the row */
} chunk;

/* x + step, which the compiler may not work out in another way: clang would multiply and spill for
 * every column. */
static inline size_t advance(size_t x, size_t step)
{
    x += step;
    __asm__("" : "+r"(x));
    return x;
}

/* Outputs i .. i+count, channels c .. c+V_N. */
static inline __attribute__((always_inline)) void chunk_body(const hst_depthwise *d, int i, int c,
                                                             const chunk s)
{
    const int at = i * s.stride - d->before;
    const size_t x_step = d->x_step, w_step = d->w_step;
    const vf bias = v_load(d->bias + c);
    const float *w = d->w + c;
#define DECLARE(o) vf a##o = bias;
    EACH_OUTPUT(DECLARE)
#undef DECLARE
    for (int ky = 0; ky < s.kernel; ky++, w += (size_t)s.kernel * w_step) {
        if (!d->row[ky])
            continue;
        const vf w0 = v_load(w), w1 = v_load(w + w_step), w2 = v_load(w + 2 * w_step),
                 w3 = s.kernel > 3 ? v_load(w + 3 * w_step) : w0,
                 w4 = s.kernel > 3 ? v_load(w + 4 * w_step) : w0,
                 w5 = s.kernel > 5 ? v_load(w + 5 * w_step) : w0,
                 w6 = s.kernel > 5 ? v_load(w + 6 * w_step) : w0;
        const float *row = d->row[ky];
        /* Wraps around while the column is in front of the row, where it is not used. */
        size_t offset = advance((size_t)at * x_step, (size_t)c);
#define STEP(o)                                                                                    \
    if (o < s.count && col >= o * s.stride && col - o * s.stride < s.kernel) {                     \
        const int kx = col - o * s.stride;                                                         \
        a##o = v_fma(x,                                                                            \
                     kx == 0   ? w0                                                                \
                     : kx == 1 ? w1                                                                \
                     : kx == 2 ? w2                                                                \
                     : kx == 3 ? w3                                                                \
                     : kx == 4 ? w4                                                                \
                     : kx == 5 ? w5                                                                \
                               : w6,                                                               \
                     a##o);                                                                        \
    }
#define COLUMN(n)                                                                                  \
    if (n < (s.count - 1) * s.stride + s.kernel) {                                                 \
        if (!s.edges || (unsigned)(at + n) < (unsigned)d->width) {                                 \
            const int col = n;                                                                     \
            const vf x = v_keep(v_load(row + offset));                                             \
            EACH_OUTPUT(STEP)                                                                      \
        }                                                                                          \
        offset = advance(offset, x_step);                                                          \
    }
        EACH_COLUMN(COLUMN)
#undef COLUMN
#undef STEP
    }
    float *y = d->y + (size_t)i * d->y_step + c;
#define FINISH(o)                                                                                  \
    if (o < s.count)                                                                               \
        v_store(y + (size_t)o * d->y_step, d->clamp > 0 ? v_relu(a##o, v_set1(d->clamp)) : a##o);
    EACH_OUTPUT(FINISH)
#undef FINISH
}

/* The chunk with its constants; counts over OUTPUTS never occur. All channels that fill vectors. */
static inline __attribute__((always_inline)) void chunk_of(const hst_depthwise *d, int i, int count,
                                                           const chunk s)
{
    switch (count) {
#define CASE(o)                                                                                    \
    case o + 1:                                                                                    \
        for (int c = 0; c + V_N <= d->channels; c += V_N)                                          \
            chunk_body(d, i, c, (chunk){o + 1, s.kernel, s.stride, s.edges});                      \
        break;
        EACH_OUTPUT(CASE)
#undef CASE
    }
}

static __attribute__((noinline)) void chunk3(const hst_depthwise *d, int i, int count, int edges)
{
    if (d->stride == 1 && edges)
        chunk_of(d, i, count, (chunk){.kernel = 3, .stride = 1, .edges = 1});
    else if (d->stride == 1)
        chunk_of(d, i, count, (chunk){.kernel = 3, .stride = 1});
    else if (edges)
        chunk_of(d, i, count, (chunk){.kernel = 3, .stride = 2, .edges = 1});
    else
        chunk_of(d, i, count, (chunk){.kernel = 3, .stride = 2});
}

static __attribute__((noinline)) void chunk5(const hst_depthwise *d, int i, int count, int edges)
{
    if (d->stride == 1 && edges)
        chunk_of(d, i, count, (chunk){.kernel = 5, .stride = 1, .edges = 1});
    else if (d->stride == 1)
        chunk_of(d, i, count, (chunk){.kernel = 5, .stride = 1});
    else if (edges)
        chunk_of(d, i, count, (chunk){.kernel = 5, .stride = 2, .edges = 1});
    else
        chunk_of(d, i, count, (chunk){.kernel = 5, .stride = 2});
}

/* Stride 1, which alone there is. */
static __attribute__((noinline)) void chunk7(const hst_depthwise *d, int i, int count, int edges)
{
    if (edges)
        chunk_of(d, i, count, (chunk){.kernel = 7, .stride = 1, .edges = 1});
    else
        chunk_of(d, i, count, (chunk){.kernel = 7, .stride = 1});
}

/* The row in even chunks: 10 outputs are 5 and 5, not 7 and 3. */
static void chunks(const hst_depthwise *d)
{
    const int n = (d->out + OUTPUTS - 1) / OUTPUTS, base = d->out / n, more = d->out % n;
    for (int j = 0, i = 0; j < n; j++) {
        const int count = base + (j < more), at = i * d->stride - d->before;
        const int edges = at < 0 || at + (count - 1) * d->stride + d->kernel > d->width;
        if (d->kernel == 3)
            chunk3(d, i, count, edges);
        else if (d->kernel == 5)
            chunk5(d, i, count, edges);
        else
            chunk7(d, i, count, edges);
        i += count;
    }
}

/* The taps of output i that lie inside the row: kx from *first to before *end. */
static inline void taps(const hst_depthwise *d, int i, int *first, int *end)
{
    const int at = i * d->stride - d->before;
    *first = at < 0 ? -at : 0;
    *end = d->width - at < d->kernel ? d->width - at : d->kernel;
}

/* Output i, channels c .. c+V_N, for any kernel and stride. */
static void single(const hst_depthwise *d, int i, int c)
{
    const int at = i * d->stride - d->before;
    int first, end;
    taps(d, i, &first, &end);
    vf a = v_load(d->bias + c);
    for (int ky = 0; ky < d->kernel; ky++)
        for (int kx = first; d->row[ky] && kx < end; kx++)
            a = v_fma(v_load(d->row[ky] + (size_t)(at + kx) * d->x_step + c),
                      v_load(d->w + (size_t)(ky * d->kernel + kx) * d->w_step + c), a);
    v_store(d->y + (size_t)i * d->y_step + c, d->clamp > 0 ? v_relu(a, v_set1(d->clamp)) : a);
}

/* Output i, the channels behind the last full vector, in a vector that is only partly used. */
static void rest(const hst_depthwise *d, int i, int c)
{
    const int at = i * d->stride - d->before, n = d->channels - c;
    int first, end;
    taps(d, i, &first, &end);
    vf a = v_load_part(d->bias + c, n);
    for (int ky = 0; ky < d->kernel; ky++)
        for (int kx = first; d->row[ky] && kx < end; kx++)
            a = v_fma(v_load_part(d->row[ky] + (size_t)(at + kx) * d->x_step + c, n),
                      v_load_part(d->w + (size_t)(ky * d->kernel + kx) * d->w_step + c, n), a);
    v_store_part(d->y + (size_t)i * d->y_step + c, n,
                 d->clamp > 0 ? v_relu(a, v_set1(d->clamp)) : a);
}

static void depthwise(const hst_depthwise *d)
{
    depthwise_contract(d);
    const int full = d->channels / V_N * V_N;
    const int small = d->kernel == 3 || d->kernel == 5;
    const int known = small ? d->stride == 1 || d->stride == 2 : d->kernel == 7 && d->stride == 1;
    if (known && full > 0)
        chunks(d);
    else
        for (int i = 0; i < d->out; i++)
            for (int c = 0; c < full; c += V_N)
                single(d, i, c);
    for (int i = 0; full < d->channels && i < d->out; i++)
        rest(d, i, full);
}

/* Pixels are added in order, each channel by itself. */
static void average(const float *x, size_t pixels, int channels, float *y)
{
    const float scale = 1.0f / (float)pixels;
    int c = 0;
    for (; c + V_N <= channels; c += V_N) {
        vf sum = v_set1(0);
        for (size_t i = 0; i < pixels; i++)
            sum = v_add(sum, v_load(x + i * (size_t)channels + c));
        v_store(y + c, v_mul(sum, v_set1(scale)));
    }
    for (; c < channels; c++) {
        float sum = 0;
        for (size_t i = 0; i < pixels; i++)
            sum += x[i * (size_t)channels + (size_t)c];
        y[c] = sum * scale;
    }
}
