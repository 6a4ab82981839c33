/* contract.h - what callers of kernels promise (kernels.h), checked at every call except in release
 * builds, where it costs nothing. Included by each isa_<isa>.c in front of the bodies. */
#include <assert.h>

static inline void gemm_contract(const hst_gemm *g)
{
    assert(g->rows == 0 || (g->x && g->y));
    assert(g->w && g->bias && g->k > 0 && g->n > 0);
    assert(g->ldx >= (size_t)g->k && g->ldy >= (size_t)g->n);
    assert(g->clamp >= 0);
    assert(!g->gate || (g->gate_top > 0 && g->ld_gate >= (size_t)g->n));
    (void)g;
}

/* A window of kernel x kernel that moves over rows of pixels. */
static inline void window_contract(int kernel, int stride, int width, int out, int channels)
{
    assert(kernel > 0 && kernel <= HST_MAX_KERNEL && stride > 0);
    assert(width > 0 && out > 0 && channels > 0);
    (void)kernel, (void)stride, (void)width, (void)out, (void)channels;
}

static inline void depthwise_contract(const hst_depthwise *d)
{
    window_contract(d->kernel, d->stride, d->width, d->out, d->channels);
    assert(d->w && d->bias && d->y && d->clamp >= 0);
    assert(d->x_step >= (size_t)d->channels && d->w_step >= (size_t)d->channels &&
           d->y_step >= (size_t)d->channels);
}

static inline void grouped_contract(const hst_grouped *g)
{
    assert(g->x && g->w && g->bias && g->y && g->clamp >= 0);
    assert(g->outputs > 0 && g->in > 0 && g->out > 0 && g->kernel > 0 && g->stride > 0);
    assert(g->x_row >= (size_t)((g->outputs - 1) * g->stride + g->kernel) * (size_t)g->in);
    assert(g->y_step >= (size_t)g->out);
    (void)g;
}

static inline void winograd_contract(int width, int tiles, int channels)
{
    assert(width > 0 && tiles == (width + 1) / 2);
    assert(channels > 0 && channels % V_N == 0);
    (void)width, (void)tiles, (void)channels;
}

static inline void grad_gemm_contract(const hst_grad_gemm *g)
{
    assert(g->rows == 0 || (g->a && g->b));
    assert(g->dw && g->m > 0 && g->n > 0);
    assert(g->lda > 0 && g->ldb >= (size_t)g->n && g->ldw >= (size_t)g->n);
    (void)g;
}

static inline void grad_taps_contract(const hst_grad_taps *g)
{
    window_contract(g->kernel, g->stride, g->width, g->out, g->channels);
    assert(g->n_rows > 0 && g->row && g->g && g->dw && g->db);
    assert(g->x_step >= (size_t)g->channels && g->w_step >= (size_t)g->channels &&
           g->g_step >= (size_t)g->channels);
}

static inline void grad_pixels_contract(const hst_grad_pixels *g)
{
    window_contract(g->kernel, g->stride, g->width, g->out, g->channels);
    assert(g->w && g->dx && g->sum);
    assert(g->dx_step >= (size_t)g->channels && g->w_step >= (size_t)g->channels &&
           g->g_step >= (size_t)g->channels);
    assert(!g->gate || (g->gate_top > 0 && g->gate_step >= (size_t)g->channels));
}

static inline void act_rows_contract(const hst_act_rows *r)
{
    assert((r->rows == 0 || (r->x && r->y)) && r->n > 0);
    assert(r->ldx >= (size_t)r->n && r->ldy >= (size_t)r->n);
    (void)r;
}

static inline void layer_norm_contract(const hst_layer_norm *p)
{
    assert((p->rows == 0 || (p->x && p->y)) && p->gamma && p->beta && p->c > 0 && p->epsilon > 0);
    assert(p->ldx >= (size_t)p->c && p->ldy >= (size_t)p->c);
    (void)p;
}

static inline void layer_norm_back_contract(const hst_layer_norm_back *b)
{
    assert((b->rows == 0 || (b->x && b->dy)) && b->gamma && b->c > 0 && b->epsilon > 0);
    (void)b;
}

static inline void softmax_back_contract(const hst_softmax_back *b)
{
    assert(b->rows == 0 || (b->x && b->dx && b->of_sum && b->sum));
    assert(b->n > 0 && b->ldx >= (size_t)b->n);
    (void)b;
}

static inline void softmax_contract(const hst_softmax *s)
{
    assert((s->rows == 0 || (s->x && s->of_sum)) && s->n > 0 && s->ldx >= (size_t)s->n);
    (void)s;
}

/* Rows of channels, one behind the other. */
static inline void rows_contract(const float *x, size_t rows, int c)
{
    assert((rows == 0 || x) && c > 0);
    (void)x, (void)rows, (void)c;
}
