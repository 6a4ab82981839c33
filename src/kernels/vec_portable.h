/* vec_portable.h - the vector primitives in GCC/Clang vector extensions: four floats, which every
 * compiler target has or imitates. A multiply-add rounds twice here, once elsewhere. */
#define V_ISA  portable
#define V_NAME "portable"
/* Floats a vector. */
#define V_N    4
/* Rows of a GEMM tile: 6 x 2 accumulators, 2 weights, 1 input: 15 of 16 registers. */
#define V_ROWS 6

typedef float vf __attribute__((vector_size(16)));
typedef float vf_loose __attribute__((vector_size(16), aligned(4), may_alias));
typedef int vi __attribute__((vector_size(16)));
typedef unsigned vu __attribute__((vector_size(16)));

static inline vf v_set1(float x)
{
    return (vf){x, x, x, x};
}

static inline vf v_load(const float *p)
{
    return *(const vf_loose *)p;
}

static inline void v_store(float *p, vf a)
{
    *(vf_loose *)p = a;
}

static inline vf v_fma(vf a, vf b, vf c)
{
    return a * b + c;
}

/* Halves of vectors: half a vector at p in both; the first half of a and the second of b; those at
 * p and q, loaded and stored. */
static inline vf v_twice(const float *p)
{
    return (vf){p[0], p[1], p[0], p[1]};
}

static inline vf v_halves(vf a, vf b)
{
    return (vf){a[0], a[1], b[2], b[3]};
}

static inline vf v_load_halves(const float *p, const float *q)
{
    return (vf){p[0], p[1], q[0], q[1]};
}

static inline void v_store_halves(float *p, float *q, vf a)
{
    p[0] = a[0], p[1] = a[1];
    q[0] = a[2], q[1] = a[3];
}

static inline vf v_add(vf a, vf b)
{
    return a + b;
}

static inline vf v_sub(vf a, vf b)
{
    return a - b;
}

static inline vf v_mul(vf a, vf b)
{
    return a * b;
}

static inline vf v_div(vf a, vf b)
{
    return a / b;
}

/* a 2^-n, n whole, from shifted = 1.5 2^23 + n, whose last bits are n. NaN may become a number. */
static inline vf v_by_pow2(vf a, vf shifted)
{
    return (vf)((vu)a - ((vu)shifted << 23));
}

/* x - n ln 2, n whole; ln 2 in two parts, of which n times the first needs no rounding (Cody and
 * Waite 1980). */
static inline vf v_less_ln2(vf x, vf n)
{
    return (x - n * 0.693359375f) + n * 2.12194440e-4f;
}

/* x, in a register; here the compiler keeps it there by itself. */
static inline vf v_keep(vf x)
{
    return x;
}

/* Comparisons with NaN are false, so NaN is kept. */
static inline vf v_at_least(vf low, vf x)
{
    const vi below = x < low;
    return (vf)(((vi)x & ~below) | ((vi)low & below));
}

static inline vf v_clamp(vf low, vf high, vf x)
{
    vi below = x<low, above = x> high, kept = (vi)x & ~below & ~above;
    return (vf)(kept | ((vi)low & below) | ((vi)high & above));
}

/* min(max(x, 0), top): ReLU6 where top is 6, ReLU where it is infinite. */
static inline vf v_relu(vf x, vf top)
{
    return v_clamp(v_set1(0), top, x);
}

/* x where 0 < y < top, else 0. */
static inline vf v_gate(vf x, vf y, vf top)
{
    vi high = y > v_set1(0), low = y < top;
    return (vf)((vi)x & high & low);
}

/* The first n < V_N floats; the others are read as 0, or not written. */
static inline vf v_load_part(const float *p, int n)
{
    vf x = v_set1(0);
    for (int i = 0; i < n; i++)
        x[i] = p[i];
    return x;
}

static inline void v_store_part(float *p, int n, vf a)
{
    for (int i = 0; i < n; i++)
        p[i] = a[i];
}

/* out[c] = sum_t weight[t] in[3 t + c], rounded and clipped. A fourth channel may be read and
 * written as well. */
static void resize_pixel(const uint8_t *in, const int32_t *weight, int count, uint8_t *out);
#define v_pixel_sum resize_pixel
