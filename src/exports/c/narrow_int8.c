/* y[n][c] in float32 from whole steps, whose widths are scale[c]. */
static const float *wide(const int8_t *x, const float *scale, float *restrict y, int n, int c)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < c; k++)
            y[i * c + k] = (float)x[i * c + k] * scale[k];
    return y;
}
