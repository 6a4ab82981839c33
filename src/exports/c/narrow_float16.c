/* y[n] in float32 from IEEE binary16. */
static const float *wide(const uint16_t *x, float *restrict y, int n)
{
    for (int i = 0; i < n; i++) {
        const uint32_t all = x[i], sign = (all & 0x8000u) << 16, rest = all & 0x7fffu;
        union {
            uint32_t u;
            float f;
        } v;
        v.u = (rest << 13) + ((uint32_t)112 << 23); /* the exponent counts from 127, not from 15 */
        if (rest < 0x400)                           /* below 2^-14, or 0 */
            v.f = (float)rest * 0x1p-24f;
        v.u |= sign;
        y[i] = v.f;
    }
    return y;
}
