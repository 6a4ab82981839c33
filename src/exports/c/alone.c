/* y[n] = act(x) */
static void alone(const float *x, float *y, int n, enum act act)
{
    memcpy(y, x, (size_t)n * sizeof *y);
    activate(y, n, act);
}
