/* Channels c of x[n][c] to those from `at` on of y[n][all]. */
static void concat(const float *x, float *y, int n, int c, int at, int all)
{
    for (int i = 0; i < n; i++)
        memcpy(y + i * all + at, x + i * c, (size_t)c * sizeof *y);
}
