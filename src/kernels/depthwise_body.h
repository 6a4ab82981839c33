/* depthwise_body.h - one row of a depthwise convolution, vectorised over channels. A body: included
 * by each isa_<isa>.c behind its vec_<isa>.h.
 *
 * Inside the row, V_OUTPUTS neighbouring outputs are computed at once: with stride 1 they share
 * most of their inputs, and a weight is loaded once for all of them. Outputs whose window crosses
 * the edge, and channels behind the last full vector, go one by one. Every output adds its taps in
 * the same order (ky, then kx). */

/* X(output) */
#define EACH_OUTPUT(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)

/* V_OUTPUTS outputs from output i, channels c .. c+V_N. kernel and stride are constants at every
 * call. */
static inline __attribute__((always_inline)) void inside_body(const hst_depthwise *d, int i, int c,
                                                              const int kernel, const int stride)
{
    const size_t channels = (size_t)d->channels;
    const size_t from = (size_t)(i * stride - d->before) * channels + (size_t)c;
    const vf bias = v_load(d->bias + c);
    const float *w = d->w + c;
    float *y = d->y + (size_t)i * channels + c;
#define DECLARE(o) vf a##o = bias;
    EACH_OUTPUT(DECLARE)
#undef DECLARE
    for (int ky = 0; ky < kernel; ky++, w += (size_t)kernel * channels) {
        if (!d->row[ky])
            continue;
        const float *x = d->row[ky] + from;
#pragma GCC unroll 5
        for (int kx = 0; kx < kernel; kx++) {
            const vf tap = v_load(w + (size_t)kx * channels);
#define STEP(o)                                                                                    \
    if (o < V_OUTPUTS)                                                                             \
        a##o = v_fma(v_load(x + (size_t)(o * stride + kx) * channels), tap, a##o);
            EACH_OUTPUT(STEP)
#undef STEP
        }
    }
#define FINISH(o)                                                                                  \
    if (o < V_OUTPUTS)                                                                             \
        v_store(y + (size_t)o * channels, d->relu6 ? v_relu6(a##o) : a##o);
    EACH_OUTPUT(FINISH)
#undef FINISH
}

static __attribute__((noinline)) void inside(const hst_depthwise *d, int i, int c)
{
    if (d->kernel == 3 && d->stride == 1)
        inside_body(d, i, c, 3, 1);
    else if (d->kernel == 3 && d->stride == 2)
        inside_body(d, i, c, 3, 2);
    else if (d->kernel == 5 && d->stride == 1)
        inside_body(d, i, c, 5, 1);
    else
        inside_body(d, i, c, d->kernel, d->stride);
}

/* The taps of output i that lie inside the row: kx from *first to before *end. */
static inline void taps(const hst_depthwise *d, int i, int *first, int *end)
{
    const int at = i * d->stride - d->before;
    *first = at < 0 ? -at : 0;
    *end = d->width - at < d->kernel ? d->width - at : d->kernel;
}

/* Output i, channels c .. c+V_N. */
static void edge(const hst_depthwise *d, int i, int c)
{
    const size_t channels = (size_t)d->channels;
    const int at = i * d->stride - d->before;
    int first, end;
    taps(d, i, &first, &end);
    vf a = v_load(d->bias + c);
    for (int ky = 0; ky < d->kernel; ky++)
        for (int kx = first; d->row[ky] && kx < end; kx++)
            a = v_fma(v_load(d->row[ky] + (size_t)(at + kx) * channels + c),
                      v_load(d->w + (size_t)(ky * d->kernel + kx) * channels + c), a);
    v_store(d->y + (size_t)i * channels + c, d->relu6 ? v_relu6(a) : a);
}

/* Output i, the channels behind the last full vector, in a vector that is only partly used. */
static void rest(const hst_depthwise *d, int i, int c)
{
    const size_t channels = (size_t)d->channels, bytes = (channels - (size_t)c) * sizeof(float);
    const int at = i * d->stride - d->before;
    float x[V_N] = {0}, w[V_N] = {0};
    int first, end;
    taps(d, i, &first, &end);
    memcpy(x, d->bias + c, bytes);
    vf a = v_load(x);
    for (int ky = 0; ky < d->kernel; ky++)
        for (int kx = first; d->row[ky] && kx < end; kx++) {
            memcpy(x, d->row[ky] + (size_t)(at + kx) * channels + c, bytes);
            memcpy(w, d->w + (size_t)(ky * d->kernel + kx) * channels + c, bytes);
            a = v_fma(v_load(x), v_load(w), a);
        }
    v_store(x, d->relu6 ? v_relu6(a) : a);
    memcpy(d->y + (size_t)i * channels + c, x, bytes);
}

static void depthwise(const hst_depthwise *d)
{
    /* Outputs whose whole window is inside the row: from `left` to before `right`. */
    int left = (d->before + d->stride - 1) / d->stride;
    int right = (d->width + d->before - d->kernel) / d->stride + 1;
    if (d->width + d->before < d->kernel)
        right = 0;
    right = right > d->out ? d->out : right;
    left = left > right ? right : left;
    int c = 0;
    for (; c + V_N <= d->channels; c += V_N) {
        int i = 0;
        for (; i < left; i++)
            edge(d, i, c);
        for (; i + V_OUTPUTS <= right; i += V_OUTPUTS)
            inside(d, i, c);
        for (; i < d->out; i++)
            edge(d, i, c);
    }
    for (int i = 0; c < d->channels && i < d->out; i++)
        rest(d, i, c);
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
