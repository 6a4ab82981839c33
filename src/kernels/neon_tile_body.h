/* neon_tile_body.h - the sums of up to 4 rows and a panel of 16 columns. Included where these are
 * defined:
 *
 *   sums                    a vector of 4 sums, of numbers `sum_number`
 *   bytes                   a vector of 16 bytes of a row or of weights
 *   T_BEGIN(p), T_SUMS(p, s)  4 sums from p; to p
 *   T_LOAD(p)               16 bytes
 *   T_DOT(s, w, x, lane)    s + the products of each 4 bytes of w and those of x that are `lane`
 *
 * A vector of a row has the 4 bytes of four steps; weights lie [step][16 columns][4 bytes]. */
#define EACH_ROW(X) X(0) X(1) X(2) X(3)

/* From `start` on over so many bytes of a row, rows ldx bytes apart: sum[rows][PANEL]. */
static inline __attribute__((always_inline)) void tile_body(const hst_low_gemm *g, const char *x,
                                                            const char *w, const sum_number *start,
                                                            sum_number *sum, const int rows)
{
    const sums s0 = T_BEGIN(start), s1 = T_BEGIN(start + 4), s2 = T_BEGIN(start + 8),
               s3 = T_BEGIN(start + 12);
    const size_t end = row_bytes(g->k);
#define DECLARE(i) sums p##i = s0, q##i = s1, r##i = s2, t##i = s3;
    EACH_ROW(DECLARE)
#undef DECLARE
    for (size_t k = 0; k < end; k += 16) {
#define LOAD(i) const bytes x##i = T_LOAD(x + (rows > i ? i * g->ldx : 0) + k);
        EACH_ROW(LOAD)
#undef LOAD
#define ROW(i, lane)                                                                               \
    if (rows > i) {                                                                                \
        p##i = T_DOT(p##i, w0, x##i, lane);                                                        \
        q##i = T_DOT(q##i, w1, x##i, lane);                                                        \
        r##i = T_DOT(r##i, w2, x##i, lane);                                                        \
        t##i = T_DOT(t##i, w3, x##i, lane);                                                        \
    }
#define STEP_OF(lane)                                                                              \
    {                                                                                              \
        const bytes w0 = T_LOAD(w), w1 = T_LOAD(w + 16), w2 = T_LOAD(w + 32), w3 = T_LOAD(w + 48); \
        ROW(0, lane) ROW(1, lane) ROW(2, lane) ROW(3, lane) w += 64;                               \
    }
        STEP_OF(0)
        STEP_OF(1)
        STEP_OF(2)
        STEP_OF(3)
#undef STEP_OF
#undef ROW
    }
#define STORE(i)                                                                                   \
    if (rows > i) {                                                                                \
        T_SUMS(sum + i * PANEL, p##i);                                                             \
        T_SUMS(sum + i * PANEL + 4, q##i);                                                         \
        T_SUMS(sum + i * PANEL + 8, r##i);                                                         \
        T_SUMS(sum + i * PANEL + 12, t##i);                                                        \
    }
    EACH_ROW(STORE)
#undef STORE
}

static void tile(const hst_low_gemm *g, const char *x, const char *w, const sum_number *start,
                 sum_number *sum, size_t rows)
{
    if (rows == 4)
        tile_body(g, x, w, start, sum, 4);
    else if (rows == 3)
        tile_body(g, x, w, start, sum, 3);
    else if (rows == 2)
        tile_body(g, x, w, start, sum, 2);
    else
        tile_body(g, x, w, start, sum, 1);
}
