/* norm_body.h - batch norm over rows of channels while they are in the cache. A body: included by
 * each isa_<isa>.c behind grad_gemm_body.h.
 *
 * Maps go row by row, as memory lies; sums hold up to four vectors of channels in registers while
 * the rows pass by. */

/* X(vector of a block) */
#define EACH_VECTOR(X) X(0) X(1) X(2) X(3)
enum { BLOCK = 4 * V_N };

/* y = clamp(x scale + shift) + z for one row's channels c .. c+V_N. */
static inline __attribute__((always_inline)) void
map_vector(const hst_norm_map *m, float top, size_t at, int c, int n, const int partial)
{
    vf v = v_fma(load_some(m->x + at, n, partial), load_some(m->scale + c, n, partial),
                 load_some(m->shift + c, n, partial));
    if (top > 0)
        v = v_relu(v, v_set1(top));
    if (m->z)
        v = v_add(v, load_some(m->z + at, n, partial));
    store_some(m->y + at, n, v, partial);
}

/* top, adds: constants at every call. */
static inline __attribute__((always_inline)) void map_rows(const hst_norm_map *all, const float top,
                                                           const int adds)
{
    hst_norm_map m = *all;
    m.z = adds ? m.z : NULL;
    const int full = m.c / V_N * V_N;
    size_t at = 0;
    for (size_t r = 0; r < m.rows; r++, at += (size_t)m.c) {
        for (int c = 0; c < full; c += V_N)
            map_vector(&m, top, at + (size_t)c, c, V_N, 0);
        if (full < m.c)
            map_vector(&m, top, at + (size_t)full, full, m.c - full, 1);
    }
}

/* y += z */
static void add_row(const float *z, float *y, int c)
{
    int i = 0;
    for (; i + V_N <= c; i += V_N)
        v_store(y + i, v_add(v_load(y + i), v_load(z + i)));
    if (i < c)
        v_store_part(y + i, c - i, v_add(v_load_part(y + i, c - i), v_load_part(z + i, c - i)));
}

/* Activations that are no clamp: row by row, which stays in the first-level cache. */
static void map_and_activate(const hst_norm_map *all)
{
    hst_norm_map m = *all;
    m.z = NULL;
    m.rows = 1;
    for (size_t r = 0; r < all->rows; r++, m.x += m.c, m.y += m.c) {
        map_rows(&m, 0, 0);
        activate(m.act, m.y, m.y, (size_t)m.c);
        if (all->z)
            add_row(all->z + r * (size_t)m.c, m.y, m.c);
    }
}

static void norm_map(const hst_norm_map *m)
{
    rows_contract(m->x, m->rows, m->c);
    if (m->act > HST_ACT_RELU)
        map_and_activate(m);
    else if (m->act == HST_ACT_RELU)
        map_rows(m, INFINITY, m->z != NULL);
    else if (m->act == HST_ACT_RELU6 && m->z)
        map_rows(m, 6, 1);
    else if (m->act == HST_ACT_RELU6)
        map_rows(m, 6, 0);
    else if (m->z)
        map_rows(m, 0, 1);
    else
        map_rows(m, 0, 0);
}

/* A row in pieces, whose numbers before the activation are made beside it. */
static void norm_gate(const hst_norm_gate *g)
{
    enum { PIECE = 256 };
    float made[PIECE];
    rows_contract(g->x, g->rows, g->c);
    size_t at = 0;
    for (size_t r = 0; r < g->rows; r++)
        for (int c = 0, n; c < g->c; c += n, at += (size_t)n) {
            n = g->c - c < PIECE ? g->c - c : PIECE;
            if (g->scale)
                map_rows(&(hst_norm_map){.x = g->x + at,
                                         .scale = g->scale + c,
                                         .shift = g->shift + c,
                                         .y = made,
                                         .rows = 1,
                                         .c = n},
                         0, 0);
            activate_back(g->act, g->scale ? made : g->x + at, g->dy + at, g->dx + at, (size_t)n);
        }
}

static inline __attribute__((always_inline)) void back_vector(const hst_norm_back *b, size_t at,
                                                              int c, int n, const int partial)
{
    const vf rest = v_fma(load_some(b->x + at, n, partial), load_some(b->of_x + c, n, partial),
                          load_some(b->shift + c, n, partial));
    store_some(b->dx + at, n,
               v_fma(load_some(b->dy + at, n, partial), load_some(b->of_dy + c, n, partial), rest),
               partial);
}

static void norm_back(const hst_norm_back *b)
{
    rows_contract(b->x, b->rows, b->c);
    const int full = b->c / V_N * V_N;
    size_t at = 0;
    for (size_t r = 0; r < b->rows; r++, at += (size_t)b->c) {
        for (int c = 0; c < full; c += V_N)
            back_vector(b, at + (size_t)c, c, V_N, 0);
        if (full < b->c)
            back_vector(b, at + (size_t)full, full, b->c - full, 1);
    }
}

/* Up to four vectors of channels, the last perhaps partly used. */
static inline __attribute__((always_inline)) void moments_block(const float *x, size_t ld,
                                                                const hst_norm_sums *s, int c,
                                                                const int vecs, const int partial)
{
    const int n = s->c - c;
    const vf share = v_set1(1.0f / (float)s->rows), minus = v_set1(-1);
    const float *p = x + c;
#define DECLARE(v) vf m##v = v_set1(0), q##v = m##v;
#define ADD(v)                                                                                     \
    if (v < vecs)                                                                                  \
        m##v = v_add(m##v, load_some(p + v * V_N, n, partial));
#define MEAN(v)                                                                                    \
    m##v = v_mul(m##v, share);                                                                     \
    const vf less##v = v_mul(m##v, minus);
#define SQUARE(v)                                                                                  \
    if (v < vecs) {                                                                                \
        const vf d = v_add(load_some(p + v * V_N, n, partial), less##v);                           \
        q##v = v_fma(d, d, q##v);                                                                  \
    }
#define STORE(v)                                                                                   \
    if (v < vecs) {                                                                                \
        store_some(s->first + c + v * V_N, n, m##v, partial);                                      \
        store_some(s->second + c + v * V_N, n, q##v, partial);                                     \
    }
    EACH_VECTOR(DECLARE)
    for (size_t r = 0; r < s->rows; r++, p += ld) {
        EACH_VECTOR(ADD)
    }
    EACH_VECTOR(MEAN)
    p = x + c;
    for (size_t r = 0; r < s->rows; r++, p += ld) {
        EACH_VECTOR(SQUARE)
    }
    EACH_VECTOR(STORE)
#undef STORE
#undef SQUARE
#undef MEAN
#undef ADD
#undef DECLARE
}

static void norm_moments(const hst_norm_sums *s)
{
    rows_contract(s->x, s->rows, s->c);
    const size_t ld = (size_t)s->c;
    int c = 0;
    for (; c + BLOCK <= s->c; c += BLOCK)
        moments_block(s->x, ld, s, c, 4, 0);
    for (; c + V_N <= s->c; c += V_N)
        moments_block(s->x, ld, s, c, 1, 0);
    if (c < s->c)
        moments_block(s->x, ld, s, c, 1, 1);
}

static inline __attribute__((always_inline)) void products_block(const hst_norm_sums *s, int c,
                                                                 const int vecs, const int partial)
{
    const int n = s->c - c;
    const size_t ld = (size_t)s->c;
    const float *x = s->x + c, *dy = s->dy + c;
    const vf minus = v_set1(-1);
#define DECLARE(v)                                                                                 \
    vf a##v = v_set1(0), b##v = a##v;                                                              \
    const vf less##v = v < vecs ? v_mul(load_some(s->mean + c + v * V_N, n, partial), minus) : a##v;
#define ADD(v)                                                                                     \
    if (v < vecs) {                                                                                \
        const vf g = load_some(dy + v * V_N, n, partial);                                          \
        a##v = v_add(a##v, g);                                                                     \
        b##v = v_fma(g, v_add(load_some(x + v * V_N, n, partial), less##v), b##v);                 \
    }
#define STORE(v)                                                                                   \
    if (v < vecs) {                                                                                \
        store_some(s->first + c + v * V_N, n, a##v, partial);                                      \
        store_some(s->second + c + v * V_N, n, b##v, partial);                                     \
    }
    EACH_VECTOR(DECLARE)
    for (size_t r = 0; r < s->rows; r++, x += ld, dy += ld) {
        EACH_VECTOR(ADD)
    }
    EACH_VECTOR(STORE)
#undef STORE
#undef ADD
#undef DECLARE
}

static void norm_products(const hst_norm_sums *s)
{
    rows_contract(s->x, s->rows, s->c);
    int c = 0;
    for (; c + BLOCK <= s->c; c += BLOCK)
        products_block(s, c, 4, 0);
    for (; c + V_N <= s->c; c += V_N)
        products_block(s, c, 1, 0);
    if (c < s->c)
        products_block(s, c, 1, 1);
}
