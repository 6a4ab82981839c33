/* grad_depthwise_body.h - gradients of a depthwise convolution, vectorised over channels. A body:
 * included by each isa_<isa>.c behind depthwise_body.h and grad_gemm_body.h.
 *
 * Kernels 3 and 5 with strides 1 and 2 have loops of their own; everything else, and channels
 * behind the last full vector, goes through the loops called any_. */

/* ---- of the kernel ---- */

/* X(kernel row, argument): as many rows of taps as are summed at once. */
#define EACH_TAP_ROW(X)  X(0) X(1) X(2) X(3) X(4)
#define EACH_TAP(X, r)   X(r, 0) X(r, 1) X(r, 2) X(r, 3) X(r, 4)
/* Columns that two neighbouring outputs of kernel 5 and stride 2 see. */
#define EACH_SEEN(X, r)  X(r, 0) X(r, 1) X(r, 2) X(r, 3) X(r, 4) X(r, 5) X(r, 6)
/* Rows of taps whose sums fit the registers: V_ROWS tells how many of those there are. */
#define TAP_ROWS(kernel) ((kernel) == 3 ? 3 : V_ROWS > 6 ? 5 : 2)

/* A pass: rows first_row .. of taps over output rows from .. end, channels c .. c+V_N. */
typedef struct taps_pass {
    int first_row, from, end, c;
} taps_pass;

/* What a pass is: constants at every call of taps_body. */
typedef struct taps_kind {
    int rows, kernel, stride;
} taps_kind;

static inline __attribute__((always_inline)) void taps_body(const hst_grad_taps *d,
                                                            const taps_pass *p, const taps_kind s)
{
    const size_t x_step = d->x_step, g_step = d->g_step, w_step = d->w_step;
    const int first = (d->before + s.stride - 1) / s.stride, room = d->width + d->before - s.kernel;
    const int inside = room < 0 ? 0 : room / s.stride + 1, width = d->width, before = d->before;
    /* outputs left .. right-1 see no padding */
    const int right = inside < d->out ? inside : d->out, left = first < right ? first : right;
    float *dw = d->dw + (size_t)(p->first_row * s.kernel) * w_step + p->c;
    vf sum = v_load(d->db + p->c);
#define DECLARE(r, k)                                                                              \
    vf a##r##k =                                                                                   \
        r < s.rows && k < s.kernel                                                                 \
            ? v_load(dw + (size_t)(r < s.rows && k < s.kernel ? r * s.kernel + k : 0) * w_step)    \
            : sum;
#define DECLARE_ROW(r) EACH_TAP(DECLARE, r)
    EACH_TAP_ROW(DECLARE_ROW)
#undef DECLARE_ROW
#undef DECLARE
#define TAP(r, k)                                                                                  \
    if (seen == k)                                                                                 \
        a##r##k = v_fma(g0, x, a##r##k);                                                           \
    if (count > 1 && seen - s.stride == k)                                                         \
        a##r##k = v_fma(g1, x, a##r##k);
#define SEE(r, n)                                                                                  \
    if (r < s.rows && n < (count - 1) * s.stride + s.kernel &&                                     \
        (!edges || (unsigned)(at + n) < (unsigned)width)) {                                        \
        const int seen = n;                                                                        \
        const vf x = v_load(row##r + (ptrdiff_t)(at + n) * (ptrdiff_t)x_step);                     \
        EACH_TAP(TAP, r)                                                                           \
    }
#define SEE_ROW(r) EACH_SEEN(SEE, r)
#define OUTPUTS_AT(i, COUNT, EDGES)                                                                \
    {                                                                                              \
        const int count = COUNT, edges = EDGES, at = (i)*s.stride - before;                        \
        const vf g0 = v_load(g + (size_t)(i)*g_step),                                              \
                 g1 = count > 1 ? v_load(g + (size_t)((i) + 1) * g_step) : g0;                     \
        sum = v_add(sum, count > 1 ? v_add(g0, g1) : g0);                                          \
        EACH_TAP_ROW(SEE_ROW)                                                                      \
    }
#define ROW(r)                                                                                     \
    const float *row##r = d->row[j * s.stride + p->first_row + (r < s.rows ? r : 0)] + p->c;       \
    (void)row##r;
    for (int j = p->from; j < p->end; j++) {
        const float *g = d->g[j] + p->c;
        EACH_TAP_ROW(ROW)
        int i = 0;
        for (; i < left; i++)
            OUTPUTS_AT(i, 1, 1)
        for (; i + 1 < right; i += 2)
            OUTPUTS_AT(i, 2, 0)
        for (; i < right; i++)
            OUTPUTS_AT(i, 1, 0)
        for (; i < d->out; i++)
            OUTPUTS_AT(i, 1, 1)
    }
#undef ROW
#undef OUTPUTS_AT
#undef SEE_ROW
#undef SEE
#undef TAP
#define STORE(r, k)                                                                                \
    if (r < s.rows && k < s.kernel)                                                                \
        v_store(dw + (size_t)(r * s.kernel + k) * w_step, a##r##k);
#define STORE_ROW(r) EACH_TAP(STORE, r)
    EACH_TAP_ROW(STORE_ROW)
#undef STORE_ROW
#undef STORE
    if (p->first_row + s.rows == s.kernel || !d->row[p->from * s.stride + p->first_row + s.rows])
        v_store(d->db + p->c, sum); /* the last pass over these outputs: they are counted once */
}

#define TAPS_CASE(r)                                                                               \
    case r + 1:                                                                                    \
        taps_body(d, p, (taps_kind){r < TAP_ROWS(KERNEL) ? r + 1 : 1, KERNEL, STRIDE});            \
        break;
#define TAPS(NAME)                                                                                 \
    static __attribute__((noinline)) void NAME(const hst_grad_taps *d, const taps_pass *p,         \
                                               int rows)                                           \
    {                                                                                              \
        switch (rows) {                                                                            \
            EACH_TAP_ROW(TAPS_CASE)                                                                \
        }                                                                                          \
    }
#define KERNEL 3
#define STRIDE 1
TAPS(taps31)
#undef STRIDE
#define STRIDE 2
TAPS(taps32)
#undef KERNEL
#define KERNEL 5
TAPS(taps52)
#undef STRIDE
#define STRIDE 1
TAPS(taps51)
#undef STRIDE
#undef KERNEL

/* Output rows from .. end, whose kernel rows first .. last-1 lie inside the image. */
static void taps_rows(const hst_grad_taps *d, int from, int end, int first, int last)
{
    void (*const run)(const hst_grad_taps *, const taps_pass *, int) =
        d->kernel == 3 ? (d->stride == 1 ? taps31 : taps32) : (d->stride == 1 ? taps51 : taps52);
    const int most = TAP_ROWS(d->kernel);
    for (int c = 0; c + V_N <= d->channels; c += V_N)
        for (int r = first; r < last; r += most)
            run(d, &(taps_pass){r, from, end, c}, last - r < most ? last - r : most);
}

/* Channels c .. c+n, n <= V_N, one tap at a time. */
static void any_taps(const hst_grad_taps *d, int c, int n)
{
    const int partial = n < V_N, taps = d->kernel * d->kernel;
    for (int t = 0; t < taps; t++) {
        float *dw = d->dw + (size_t)t * d->w_step + c;
        vf a = load_some(dw, n, partial);
        for (int j = 0; j < d->n_rows; j++) {
            const float *row = d->row[j * d->stride + t / d->kernel], *g = d->g[j] + c;
            for (int i = 0, x = t % d->kernel - d->before; row && i < d->out; i++, x += d->stride)
                if ((unsigned)x < (unsigned)d->width)
                    a = v_fma(load_some(g + (size_t)i * d->g_step, n, partial),
                              load_some(row + (size_t)x * d->x_step + c, n, partial), a);
        }
        store_some(dw, n, a, partial);
    }
    for (int j = 0; j < d->n_rows; j++)
        grad_sum(d->g[j] + c, d->g_step, (size_t)d->out, n, d->db + c);
}

static void taps_inside(const hst_grad_taps *d, int j, int *first, int *last)
{
    const float *const *row = d->row + (size_t)j * (size_t)d->stride;
    for (*first = 0; *first < d->kernel && !row[*first];)
        ++*first;
    for (*last = *first; *last < d->kernel && row[*last];)
        ++*last;
}

static void grad_taps(const hst_grad_taps *d)
{
    grad_taps_contract(d);
    const int fast = (d->kernel == 3 || d->kernel == 5) && (d->stride == 1 || d->stride == 2);
    const int full = fast ? d->channels / V_N * V_N : 0;
    for (int j = 0, end, first, last, f, l; full > 0 && j < d->n_rows; j = end) {
        taps_inside(d, j, &first, &last);
        for (end = j + 1; end < d->n_rows; end++) {
            taps_inside(d, end, &f, &l);
            if (f != first || l != last)
                break;
        }
        taps_rows(d, j, end, first, last);
        for (int i = j; first == last && i < end; i++)
            grad_sum(d->g[i], d->g_step, (size_t)d->out, full, d->db);
    }
    for (int c = full; c < d->channels; c += V_N)
        any_taps(d, c, d->channels - c < V_N ? d->channels - c : V_N);
}

/* ---- of the input ---- */

/* Stride 1: inputs i .. i+count, as in depthwise_body.h with the kernel turned round. */
static inline __attribute__((always_inline)) void pixels_body(const hst_grad_pixels *d, int i,
                                                              int c, const chunk s)
{
    const int at = i + d->before - (s.kernel - 1);
    const size_t g_step = d->g_step, w_step = d->w_step;
#define DECLARE(o) vf a##o = v_set1(0);
    EACH_OUTPUT(DECLARE)
#undef DECLARE
    for (int ky = 0; ky < s.kernel; ky++) {
        if (!d->g[ky])
            continue;
        const float *w = d->w + (size_t)(ky * s.kernel) * w_step + c;
        const vf w0 = v_load(w), w1 = v_load(w + w_step), w2 = v_load(w + 2 * w_step),
                 w3 = s.kernel > 3 ? v_load(w + 3 * w_step) : w0,
                 w4 = s.kernel > 3 ? v_load(w + 4 * w_step) : w0;
        const float *row = d->g[ky];
        /* Wraps around while the column is in front of the row, where it is not used. */
        size_t offset = advance((size_t)at * g_step, (size_t)c);
#define STEP(o)                                                                                    \
    if (o < s.count && col >= o && col - o < s.kernel) {                                           \
        const int kx = s.kernel - 1 - (col - o);                                                   \
        a##o = v_fma(x, kx == 0 ? w0 : kx == 1 ? w1 : kx == 2 ? w2 : kx == 3 ? w3 : w4, a##o);     \
    }
#define COLUMN(n)                                                                                  \
    if (n < s.count - 1 + s.kernel) {                                                              \
        if (!s.edges || (unsigned)(at + n) < (unsigned)d->out) {                                   \
            const int col = n;                                                                     \
            const vf x = v_load(row + offset);                                                     \
            EACH_OUTPUT(STEP)                                                                      \
        }                                                                                          \
        offset = advance(offset, g_step);                                                          \
    }
        EACH_COLUMN(COLUMN)
#undef COLUMN
#undef STEP
    }
    if (d->gate) {
        const float *gate = d->gate + (size_t)i * d->gate_step + c;
#define GATE(o)                                                                                    \
    if (o < s.count)                                                                               \
        a##o = v_gate(a##o, v_load(gate + (size_t)o * d->gate_step), v_set1(d->gate_top));
        EACH_OUTPUT(GATE)
#undef GATE
    }
    float *dx = d->dx + (size_t)i * d->dx_step + c;
    vf sum = v_load(d->sum + c);
#define FINISH(o)                                                                                  \
    if (o < s.count) {                                                                             \
        v_store(dx + (size_t)o * d->dx_step, a##o);                                                \
        sum = v_add(sum, a##o);                                                                    \
    }
    EACH_OUTPUT(FINISH)
#undef FINISH
    v_store(d->sum + c, sum);
}

static inline __attribute__((always_inline)) void pixels_of(const hst_grad_pixels *d, int i,
                                                            int count, const chunk s)
{
    switch (count) {
#define CASE(o)                                                                                    \
    case o + 1:                                                                                    \
        for (int c = 0; c + V_N <= d->channels; c += V_N)                                          \
            pixels_body(d, i, c, (chunk){o + 1, s.kernel, 1, s.edges});                            \
        break;
        EACH_OUTPUT(CASE)
#undef CASE
    }
}

static __attribute__((noinline)) void pixels1(const hst_grad_pixels *d, int i, int count, int edges)
{
    if (d->kernel == 3 && edges)
        pixels_of(d, i, count, (chunk){.kernel = 3, .edges = 1});
    else if (d->kernel == 3)
        pixels_of(d, i, count, (chunk){.kernel = 3});
    else if (edges)
        pixels_of(d, i, count, (chunk){.kernel = 5, .edges = 1});
    else
        pixels_of(d, i, count, (chunk){.kernel = 5});
}

/* Stride 2. With u = x + before, an even u = 2i meets the even taps 0, 2, (4) of columns i, i-1,
 * (i-2), an odd u = 2i+1 the odd taps 1, (3) of columns i, (i-1): both together need `kernel` taps
 * of (kernel + 1) / 2 columns. */
typedef struct pairs {
    const hst_grad_pixels *d;
    const float *g[3], *w[3]; /* the rows that there are, and their taps */
    int c;
} pairs;

static inline __attribute__((always_inline)) void pairs_body(const pairs *p, const int kernel,
                                                             const int rows)
{
    const hst_grad_pixels *d = p->d;
    const size_t g_step = d->g_step, w_step = d->w_step, gate_step = d->gate_step;
    const int width = d->width, before = d->before, out = d->out, end = (width - 1 + before) / 2;
    vf sum = v_load(d->sum + p->c);
#define ROW(r)                                                                                     \
    const float *g##r = p->g[r < rows ? r : 0] + p->c, *w##r = p->w[r < rows ? r : 0] + p->c;      \
    const vf t##r##0 = v_load(w##r), t##r##1 = v_load(w##r + w_step),                              \
             t##r##2 = v_load(w##r + 2 * w_step),                                                  \
             t##r##3 = kernel > 3 ? v_load(w##r + 3 * w_step) : t##r##0,                           \
             t##r##4 = kernel > 3 ? v_load(w##r + 4 * w_step) : t##r##0;
    ROW(0)
    ROW(1)
    ROW(2)
#undef ROW
    for (int i = before / 2; i <= end; i++) {
        const int x = 2 * i - before;
        const int edges = i < (kernel - 1) / 2 || i >= out || x < 0 || x + 1 >= width;
        vf even = v_set1(0), odd = even;
#define TAKE(r, n, EVEN, ODD)                                                                      \
    if (r < rows && n < (kernel + 1) / 2 && (!edges || (unsigned)(i - n) < (unsigned)out)) {       \
        const vf v = v_load(g##r + (size_t)(i - n) * g_step);                                      \
        even = v_fma(v, EVEN, even);                                                               \
        if (2 * n + 1 < kernel)                                                                    \
            odd = v_fma(v, ODD, odd);                                                              \
    }
#define TAKE_ROW(r)                                                                                \
    TAKE(r, 0, t##r##0, t##r##1) TAKE(r, 1, t##r##2, t##r##3) TAKE(r, 2, t##r##4, t##r##4)
        TAKE_ROW(0)
        TAKE_ROW(1)
        TAKE_ROW(2)
#undef TAKE_ROW
#undef TAKE
        if (x >= 0) {
            if (d->gate)
                even = v_gate(even, v_load(d->gate + (size_t)x * gate_step + p->c),
                              v_set1(d->gate_top));
            v_store(d->dx + (size_t)x * d->dx_step + p->c, even);
            sum = v_add(sum, even);
        }
        if (x + 1 < width) {
            if (d->gate)
                odd = v_gate(odd, v_load(d->gate + (size_t)(x + 1) * gate_step + p->c),
                             v_set1(d->gate_top));
            v_store(d->dx + (size_t)(x + 1) * d->dx_step + p->c, odd);
            sum = v_add(sum, odd);
        }
    }
    v_store(d->sum + p->c, sum);
}

static __attribute__((noinline)) void pairs3(const pairs *p, int rows)
{
    if (rows == 1)
        pairs_body(p, 3, 1);
    else
        pairs_body(p, 3, 2);
}

static __attribute__((noinline)) void pairs5(const pairs *p, int rows)
{
    if (rows == 1)
        pairs_body(p, 5, 1);
    else if (rows == 2)
        pairs_body(p, 5, 2);
    else
        pairs_body(p, 5, 3);
}

/* Input x, channels c .. c+n, n <= V_N, for any kernel and stride. */
static void any_pixel(const hst_grad_pixels *d, int x, int c, int n)
{
    const int partial = n < V_N;
    vf a = v_set1(0);
    for (int ky = 0; ky < d->kernel; ky++)
        for (int kx = 0; d->g[ky] && kx < d->kernel; kx++) {
            const int u = x + d->before - kx;
            if (u >= 0 && u % d->stride == 0 && u / d->stride < d->out)
                a = v_fma(
                    load_some(d->g[ky] + (size_t)(u / d->stride) * d->g_step + c, n, partial),
                    load_some(d->w + (size_t)(ky * d->kernel + kx) * d->w_step + c, n, partial), a);
        }
    if (d->gate)
        a = v_gate(a, load_some(d->gate + (size_t)x * d->gate_step + c, n, partial),
                   v_set1(d->gate_top));
    store_some(d->dx + (size_t)x * d->dx_step + c, n, a, partial);
    store_some(d->sum + c, n, v_add(load_some(d->sum + c, n, partial), a), partial);
}

/* As many channels as fill vectors, in even chunks of neighbouring inputs. */
static void pixels_stride1(const hst_grad_pixels *d)
{
    const int n = (d->width + OUTPUTS - 1) / OUTPUTS, base = d->width / n, more = d->width % n;
    for (int j = 0, i = 0; j < n; j++) {
        const int count = base + (j < more), at = i + d->before - (d->kernel - 1);
        pixels1(d, i, count, at < 0 || at + count - 1 + d->kernel > d->out);
        i += count;
    }
}

static int pixels_stride2(const hst_grad_pixels *d, int full)
{
    pairs p = {.d = d};
    int rows = 0;
    for (int ky = 0; ky < d->kernel; ky++)
        if (d->g[ky] && rows < 3) {
            p.g[rows] = d->g[ky];
            p.w[rows++] = d->w + (size_t)(ky * d->kernel) * d->w_step;
        }
    if (rows == 0)
        return 0;
    for (p.c = 0; p.c < full; p.c += V_N)
        if (d->kernel == 3)
            pairs3(&p, rows);
        else
            pairs5(&p, rows);
    return full;
}

static void grad_pixels(const hst_grad_pixels *d)
{
    grad_pixels_contract(d);
    const int fast = d->kernel == 3 || d->kernel == 5, full = d->channels / V_N * V_N;
    int done = 0;
    if (fast && d->stride == 1 && full > 0) {
        pixels_stride1(d);
        done = full;
    } else if (fast && d->stride == 2)
        done = pixels_stride2(d, full);
    for (int i = 0; done < d->channels && i < d->width; i++)
        for (int c = done; c < d->channels; c += V_N)
            any_pixel(d, i, c, d->channels - c < V_N ? d->channels - c : V_N);
}
