/* grad_gemm_body.h - gradients of matrices: sums of outer products, and of rows. A body: included
 * by each isa_<isa>.c behind gemm_body.h, whose EACH_ROW it uses.
 *
 * A tile of dw is up to V_ROWS rows by one or two vectors of columns, all of it in registers while
 * the rows of a and b pass by:
 *
 *             b0   b1        (V_N columns each, of row r of b)
 *   a[r][0]   c0   d0
 *   a[r][1]   c1   d1        neither operand is packed or transposed: a is broadcast, b loaded
 *   ...
 *
 * Rows go in chunks short enough that what tiles share is still in the first-level cache when the
 * next tile comes. */

typedef struct outer {
    const float *a, *b;
    size_t lda, ldb, ldw;
    float *dw;
    size_t count; /* rows of a and b */
    int part;     /* columns of the last vector; V_N: all */
} outer;

static inline __attribute__((always_inline)) vf load_some(const float *p, int n, const int partial)
{
    return partial ? v_load_part(p, n) : v_load(p);
}

static inline __attribute__((always_inline)) void store_some(float *p, int n, vf v,
                                                             const int partial)
{
    if (partial)
        v_store_part(p, n, v);
    else
        v_store(p, v);
}

/* Full vectors, then one that may be partial: `vecs` of them. */
static inline __attribute__((always_inline)) void outer_body(const outer *t, const int rows,
                                                             const int vecs, const int partial)
{
    const float *a = t->a, *b = t->b;
    float *dw = t->dw;
    const size_t lda = t->lda, ldb = t->ldb, ldw = t->ldw;
    const int part = t->part, last = vecs > 1 ? V_N : 0;
#define DECLARE(i, p, o) vf c##i = v_set1(0), d##i = c##i;
#define LOAD(i, p, o)                                                                              \
    if (rows > i) {                                                                                \
        if (vecs > 1)                                                                              \
            c##i = v_load(dw + i * ldw);                                                           \
        d##i = load_some(dw + i * ldw + last, part, partial);                                      \
    }
#define STEP(i, p, o)                                                                              \
    if (rows > i) {                                                                                \
        const vf x = v_set1(a[i]);                                                                 \
        if (vecs > 1)                                                                              \
            c##i = v_fma(x, b0, c##i);                                                             \
        d##i = v_fma(x, b1, d##i);                                                                 \
    }
#define STORE(i, p, o)                                                                             \
    if (rows > i) {                                                                                \
        if (vecs > 1)                                                                              \
            v_store(dw + i * ldw, c##i);                                                           \
        store_some(dw + i * ldw + last, part, d##i, partial);                                      \
    }
    EACH_ROW(DECLARE)
    EACH_ROW(LOAD)
    for (size_t r = t->count; r > 0; r--, a += lda, b += ldb) {
        const vf b1 = load_some(b + last, part, partial), b0 = vecs > 1 ? v_load(b) : b1;
        EACH_ROW(STEP)
    }
    EACH_ROW(STORE)
#undef DECLARE
#undef LOAD
#undef STEP
#undef STORE
}

/* One kernel a row count; counts over V_ROWS never occur and are not built. */
#define OUTER(NAME, VECS, PARTIAL)                                                                 \
    static __attribute__((noinline)) void NAME(const outer *t, int rows)                           \
    {                                                                                              \
        switch (rows) {                                                                            \
            EACH_ROW(OUTER_CASE_##VECS##PARTIAL)                                                   \
        }                                                                                          \
    }
#define OUTER_CASE(i, vecs, partial)                                                               \
    case i + 1:                                                                                    \
        outer_body(t, i < V_ROWS ? i + 1 : 1, vecs, partial);                                      \
        break;
#define OUTER_CASE_10(i, p, o) OUTER_CASE(i, 1, 0)
#define OUTER_CASE_11(i, p, o) OUTER_CASE(i, 1, 1)
#define OUTER_CASE_20(i, p, o) OUTER_CASE(i, 2, 0)
#define OUTER_CASE_21(i, p, o) OUTER_CASE(i, 2, 1)
OUTER(outer_one, 1, 0)
OUTER(outer_one_part, 1, 1)
OUTER(outer_two, 2, 0)
OUTER(outer_two_part, 2, 1)

static void outer_tile(outer *t, int rows, int columns)
{
    t->part = columns > V_N ? columns - V_N : columns;
    if (columns > V_N && t->part < V_N)
        outer_two_part(t, rows);
    else if (columns > V_N)
        outer_two(t, rows);
    else if (t->part < V_N)
        outer_one_part(t, rows);
    else
        outer_one(t, rows);
}

/* Chunks and rows are shared out evenly: 24 rows are 2 tiles of 12, not 14 and 10. */
static void grad_gemm(const hst_grad_gemm *g)
{
    grad_gemm_contract(g);
    enum { CHUNK = 128 };
    const size_t chunks = (g->rows + CHUNK - 1) / CHUNK;
    const int tiles = (g->m + V_ROWS - 1) / V_ROWS, base = g->m / tiles, more = g->m % tiles;
    for (size_t k = 0, at = 0, end; k < chunks; k++, at = end) {
        end = g->rows * (k + 1) / chunks;
        for (int n = 0; n < g->n; n += 2 * V_N)
            for (int i = 0, m = 0, rows; i < tiles; i++, m += rows) {
                outer t = {.a = g->a + at * g->lda + m,
                           .b = g->b + at * g->ldb + n,
                           .lda = g->lda,
                           .ldb = g->ldb,
                           .ldw = g->ldw,
                           .dw = g->dw + (size_t)m * g->ldw + n,
                           .count = end - at};
                rows = base + (i < more);
                outer_tile(&t, rows, g->n - n < 2 * V_N ? g->n - n : 2 * V_N);
            }
    }
}

/* Four chains, so that an addition need not wait for the one before. */
static void grad_sum(const float *x, size_t ldx, size_t rows, int channels, float *sum)
{
    for (int c = 0; c < channels; c += V_N) {
        const int n = channels - c, partial = n < V_N;
        const float *p = x + c;
        size_t r = 0;
        vf s0 = load_some(sum + c, n, partial), s1 = v_set1(0), s2 = s1, s3 = s1;
        for (; r + 4 <= rows && !partial; r += 4, p += 4 * ldx) {
            s0 = v_add(s0, v_load(p));
            s1 = v_add(s1, v_load(p + ldx));
            s2 = v_add(s2, v_load(p + 2 * ldx));
            s3 = v_add(s3, v_load(p + 3 * ldx));
        }
        for (; r < rows; r++, p += ldx)
            s0 = v_add(s0, load_some(p, n, partial));
        store_some(sum + c, n, v_add(v_add(s0, s1), v_add(s2, s3)), partial);
    }
}
