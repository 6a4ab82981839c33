/* grouped_tile_body.h - a tile of a grouped convolution in vectors of one width: included by
 * grouped_body.h for each, with TILE the function's name, and the vector primitives as T(name). */

/* `rows` outputs: a constant at every call, which makes each call a kernel of its own. */
static inline __attribute__((always_inline)) void T(body)(const grouped_tile *t, const int rows)
{
    const size_t ld = t->ld, columns = t->columns, step = t->step;
    const float *w = t->w, *x = t->x;
    const T(f) bias = T(load)(t->bias);
#define DECLARE(i, p, o) T(f) a##i = bias;
    HST_ROWS_14(DECLARE)
#undef DECLARE
    for (int ky = 0; ky < t->kernel; ky++, x += t->row) {
        const float *p0 = x, *p3 = p0 + 3 * ld, *p6 = p3 + 3 * ld, *p9 = p6 + 3 * ld,
                    *p12 = p9 + 3 * ld;
        for (int k = 0; k < t->run; k++, w += columns, p0++, p3++, p6++, p9++, p12++) {
            const T(f) v = T(load)(w);
#define STEP(i, p, o)                                                                              \
    if (rows > i)                                                                                  \
        a##i = T(fma)(T(set1)(p[o * ld]), v, a##i);
            HST_ROWS_14(STEP)
#undef STEP
        }
    }
    const T(f) top = T(set1)(t->clamp);
    float *y = t->y;
#define FINISH(i, p, o)                                                                            \
    if (rows > i) {                                                                                \
        a##i = t->clamp > 0 ? T(relu)(a##i, top) : a##i;                                           \
        if (t->part < T(N))                                                                        \
            T(store_part)(y + i * step, t->part, a##i);                                            \
        else                                                                                       \
            T(store)(y + i * step, a##i);                                                          \
    }
    HST_ROWS_14(FINISH)
#undef FINISH
}

static __attribute__((noinline)) void T(tile)(const grouped_tile *t, int rows)
{
    switch (rows) {
#define CASE(i, p, o)                                                                              \
    case i + 1:                                                                                    \
        T(body)(t, i + 1);                                                                         \
        break;
        HST_ROWS_14(CASE)
#undef CASE
    }
}
