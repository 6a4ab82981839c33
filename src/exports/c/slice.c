/* Channels c from `at` on of x[n][all] to y[n][c]. */
static void slice(const float *x, float *y, int n, int c, int at, int all)
{
    for (int i = 0; i < n; i++)
        memcpy(y + i * c, x + i * all + at, (size_t)c * sizeof *y);
}
