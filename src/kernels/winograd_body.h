/* winograd_body.h - inputs and outputs of Winograd's F(2x2, 3x3). A body: included by each
 * isa_<isa>.c behind its vec_<isa>.h. Channels are whole vectors.
 *
 * Neighbouring tiles share two of four columns of inputs, so that each column is loaded and
 * combined once:
 *
 *      tile 0  m0 m1 m2 m3
 *      tile 1        m2 m3 m4 m5 */
#define INLINE static inline __attribute__((always_inline))

typedef struct four {
    vf a, b, c, d;
} four;

/* B' x */
INLINE four of_input(four x)
{
    return (four){v_sub(x.a, x.c), v_add(x.b, x.c), v_sub(x.c, x.b), v_sub(x.b, x.d)};
}

/* One column of inputs, combined. */
INLINE four column_at(const hst_winograd_in *w, int x, size_t c)
{
    const vf zero = v_set1(0);
    const size_t at = (size_t)x * (size_t)w->channels + c;
    if (x < 0 || x >= w->width)
        return (four){zero, zero, zero, zero};
    return of_input((four){
        w->row[0] ? v_load(w->row[0] + at) : zero, w->row[1] ? v_load(w->row[1] + at) : zero,
        w->row[2] ? v_load(w->row[2] + at) : zero, w->row[3] ? v_load(w->row[3] + at) : zero});
}

INLINE void store_places(float *v, size_t place, four x)
{
    v_store(v, x.a);
    v_store(v + place, x.b);
    v_store(v + 2 * place, x.c);
    v_store(v + 3 * place, x.d);
}

static void winograd_in(const hst_winograd_in *w)
{
    winograd_contract(w->width - 2 * w->valid, w->tiles, w->channels);
    const size_t place = w->place;
    const int from = w->valid ? 0 : -1;
    for (int c = 0; c < w->channels; c += V_N) {
        float *v = w->v + c;
        four m0 = column_at(w, from, (size_t)c), m1 = column_at(w, from + 1, (size_t)c);
        for (int t = 0; t < w->tiles; t++, v += w->v_step) {
            const four m2 = column_at(w, from + 2 * t + 2, (size_t)c);
            const four m3 = column_at(w, from + 2 * t + 3, (size_t)c);
            store_places(v, place, of_input((four){m0.a, m1.a, m2.a, m3.a}));
            store_places(v + 4 * place, place, of_input((four){m0.b, m1.b, m2.b, m3.b}));
            store_places(v + 8 * place, place, of_input((four){m0.c, m1.c, m2.c, m3.c}));
            store_places(v + 12 * place, place, of_input((four){m0.d, m1.d, m2.d, m3.d}));
            m0 = m2;
            m1 = m3;
        }
    }
}

typedef struct two {
    vf a, b;
} two;

/* A' p */
INLINE two of_output(vf a, vf b, vf c, vf d)
{
    return (two){v_add(v_add(a, b), c), v_sub(v_sub(b, c), d)};
}

INLINE two column_of(const float *p, size_t place)
{
    return of_output(v_load(p), v_load(p + 4 * place), v_load(p + 8 * place),
                     v_load(p + 12 * place));
}

/* Output `at` of row i. */
INLINE void give(const hst_winograd_out *w, int i, size_t at, vf y)
{
    if (w->residual[i])
        y = v_add(y, v_load(w->residual[i] + at));
    if (w->clamp > 0)
        y = v_relu(y, v_set1(w->clamp));
    v_store(w->row[i] + at, y);
}

static void winograd_out(const hst_winograd_out *w)
{
    winograd_contract(w->width, w->tiles, w->channels);
    const size_t place = w->place;
    for (int t = 0; t < w->tiles; t++) {
        const size_t x = 2 * (size_t)t * w->y_step;
        const int both = 2 * t + 1 < w->width;
        const float *p = w->p + (size_t)t * w->p_step;
        for (size_t c = 0; c < (size_t)w->channels; c += V_N, p += V_N) {
            const two m0 = column_of(p, place), m1 = column_of(p + place, place),
                      m2 = column_of(p + 2 * place, place), m3 = column_of(p + 3 * place, place);
            const vf bias = v_load(w->bias + c);
            const two y0 = of_output(m0.a, m1.a, m2.a, m3.a),
                      y1 = of_output(m0.b, m1.b, m2.b, m3.b);
            give(w, 0, x + c, v_add(y0.a, bias));
            if (both)
                give(w, 0, x + c + w->y_step, v_add(y0.b, bias));
            if (w->row[1])
                give(w, 1, x + c, v_add(y1.a, bias));
            if (w->row[1] && both)
                give(w, 1, x + c + w->y_step, v_add(y1.b, bias));
        }
    }
}
