/* op_attention.c - every token takes a mean of all values, weighted by how its query fits their
 * keys, for each head by itself (Vaswani et al. 2017, arXiv 1706.03762):
 *
 *   p = softmax(q k' / sqrt(d)),  y = p v,   d = c / heads channels
 *
 * A block of queries at a time, whose rows of p stay in the cache: [tokens][tokens] is never in
 * memory. */
#include "nn/infer/unit.h"

#include <math.h>
#include <stddef.h>

static const hst_attr attrs[] = {{"heads", HST_ATTR_INT, offsetof(hst_attention, heads), NULL}};

static int heads_of(const hst_node *n)
{
    return ((const hst_attention *)(const void *)n->attrs)->heads;
}

static int attention_type(hst_node *n, const hst_type *in, hst_err *err)
{
    const int heads = heads_of(n);
    const hst_shape x = hst_type_shape(in);
    if (x.h != 1 || x.c % 3 != 0 || heads < 1 || x.c / 3 % heads != 0)
        return hst_fail(err, HST_EMODEL, "%d heads do not fit %d x %d tokens of %d numbers", heads,
                        x.h, x.w, x.c);
    n->type = hst_image_type((hst_shape){1, x.w, x.c / 3});
    return 0;
}

/* Two products, [tokens][d] by [tokens] each, a head. */
static double flops(const hst_node *n, const hst_shape *in)
{
    (void)n;
    return 4.0 * in->w * in->w * (in->c / 3);
}

/* Sizes of a head. */
typedef struct head {
    size_t n, d, c, ld; /* tokens; channels of a head, of all; floats between tokens of qkv */
    float by;           /* 1 / sqrt(d) */
} head;

static head head_of(const hst_node *n, hst_shape in)
{
    const size_t c = (size_t)in.c / 3, d = c / (size_t)heads_of(n);
    return (head){(size_t)in.w, d, c, (size_t)in.c, 1 / sqrtf((float)d)};
}

/* Queries of a block. */
enum { QUERIES = 56 };

/* Floats of a thread: a head's keys or values, both of them packed, the block's scores and what
 * they are to be divided by. */
typedef struct places {
    size_t gathered, keys, values, scores, of_sum, all;
} places;

static places places_of(const head *h, const hst_kernels *k)
{
    places p = {.gathered = 0};
    p.keys = hst_whole_lines(h->n * h->d);
    p.values = p.keys + hst_whole_lines(hst_gemm_packed(k, (int)h->d, (int)h->n));
    p.scores = p.values + hst_whole_lines(hst_gemm_packed(k, (int)h->n, (int)h->d));
    p.of_sum = p.scores + hst_whole_lines(QUERIES * h->n);
    p.all = p.of_sum + hst_whole_lines(QUERIES);
    return p;
}

static size_t scratch(const hst_node *n, hst_shape in, const hst_kernels *k)
{
    const head h = head_of(n, in);
    /* backward has two rows of scores */
    return hst_larger(places_of(&h, k).all, 2 * h.n);
}

static void gather(const head *h, const float *x, float by, float *out)
{
    for (size_t i = 0; i < h->n; i++)
        for (size_t j = 0; j < h->d; j++)
            out[i * h->d + j] = x[i * h->ld + j] * by;
}

/* Keys, over sqrt(d), and values of the head whose queries begin at x. */
static void pack_head(const head *h, const hst_kernels *k, const float *x, float *scratch)
{
    const places at = places_of(h, k);
    const int n = (int)h->n, d = (int)h->d;
    gather(h, x + h->c, h->by, scratch + at.gathered);
    (void)hst_gemm_pack_transposed(k, scratch + at.gathered, n, d, scratch + at.keys);
    gather(h, x + 2 * h->c, 1, scratch + at.gathered);
    (void)hst_gemm_pack(k, scratch + at.gathered, NULL, n, d, scratch + at.values);
}

/* Queries first .. first + count of the head. */
static void attend(const head *h, const hst_kernels *k, const float *x, size_t first, size_t count,
                   float *scratch, float *y)
{
    const places at = places_of(h, k);
    const int n = (int)h->n, d = (int)h->d;
    float *scores = scratch + at.scores, *of_sum = scratch + at.of_sum;
    const float *keys = scratch + at.keys, *values = scratch + at.values;
    k->gemm(&(hst_gemm){.x = x + first * h->ld,
                        .ldx = h->ld,
                        .w = keys,
                        .bias = hst_gemm_bias(k, keys, d, n),
                        .y = scores,
                        .ldy = h->n,
                        .rows = count,
                        .k = d,
                        .n = n});
    k->softmax(&(hst_softmax){.x = scores, .ldx = h->n, .rows = count, .n = n, .of_sum = of_sum});
    k->gemm(&(hst_gemm){.x = scores,
                        .ldx = h->n,
                        .w = values,
                        .bias = hst_gemm_bias(k, values, n, d),
                        .y = y + first * h->c,
                        .ldy = h->c,
                        .rows = count,
                        .k = n,
                        .n = d});
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < h->d; j++)
            y[(first + i) * h->c + j] *= of_sum[i];
}

/* x [tokens][3][heads][d], y [tokens that are needed][heads][d]. Threads share out the blocks of
 * queries of all heads. */
static void infer(const hst_infer_unit *u, const hst_run_args *a)
{
    const head h = head_of(&u->node, u->in);
    const size_t queries = (size_t)u->out.w;
    const int blocks = (int)((queries + QUERIES - 1) / QUERIES);
    const hst_share share = hst_share_of(a, heads_of(&u->node) * blocks);
    for (int i = share.first; i < share.end; i++) {
        const size_t at = (size_t)(i / blocks) * h.d, first = (size_t)(i % blocks) * QUERIES;
        const size_t count = queries - first < QUERIES ? queries - first : QUERIES;
        if (i == share.first || i % blocks == 0)
            pack_head(&h, a->kernels, a->x[0] + at, a->scratch);
        attend(&h, a->kernels, a->x[0] + at, first, count, a->scratch, a->y + at);
    }
}

static float dot(const float *a, const float *b, size_t n)
{
    float sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* y += by x */
static void add(float by, const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += by * x[i];
}

/* Of one query, whose head begins at x, with s = q k' / sqrt(d):
 *   dv += p dy,  dp = dy v',  ds = p (dp - sum p dp) / sqrt(d),  dq += ds k,  dk += ds q */
static void backward_query(const hst_op_args *a, const head *h, const float *x, const float *dy,
                           size_t query, float *dx)
{
    float *p = a->scratch, *dp = p + h->n, of_sum, sum = 0;
    const float *q = x + query * h->ld, *keys = x + h->c, *values = x + 2 * h->c;
    for (size_t i = 0; i < h->n; i++)
        p[i] = dot(q, keys + i * h->ld, h->d) * h->by;
    a->kernels->softmax(
        &(hst_softmax){.x = p, .ldx = h->n, .rows = 1, .n = (int)h->n, .of_sum = &of_sum});
    for (size_t i = 0; i < h->n; i++) {
        p[i] *= of_sum;
        dp[i] = dot(dy, values + i * h->ld, h->d);
        sum += p[i] * dp[i];
    }
    for (size_t i = 0; i < h->n; i++) {
        const float ds = p[i] * (dp[i] - sum) * h->by;
        add(ds, keys + i * h->ld, dx + query * h->ld, h->d);
        add(ds, q, dx + i * h->ld + h->c, h->d);
        add(p[i], dy, dx + i * h->ld + 2 * h->c, h->d);
    }
}

static void backward(const hst_op_args *a)
{
    const head h = head_of(a->node, a->in[0]);
    for (size_t at = 0; a->dx[0] && at < h.c; at += h.d)
        for (size_t i = 0; i < h.n; i++)
            backward_query(a, &h, a->x[0] + at, a->dy + i * h.c + at, i, a->dx[0] + at);
}

const hst_op hst_op_attention = {.name = "attention",
                                 .n_inputs = 1,
                                 .attrs = attrs,
                                 .n_attrs = 1,
                                 .attr_bytes = sizeof(hst_attention),
                                 .infer_type = attention_type,
                                 .flops = flops,
                                 .counts = 1,
                                 .infer = infer,
                                 .scratch = scratch,
                                 .backward = backward,
                                 .reads = HST_READS_INPUT};
