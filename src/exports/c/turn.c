/* Every head of x[n][heads][d]: y = x w + x' b, w[n][d], b[n][d]; x' has the halves of every
 * `group` channels in each other's place. */
static void turn(const float *x, const float *w, const float *b, float *y, int n, int heads, int d,
                 int group)
{
    for (int i = 0; i < n; i++, w += d, b += d)
        for (int h = 0; h < heads; h++, x += d, y += d)
            for (int c = 0; c < d; c++) {
                const int other = c % group < group / 2 ? c + group / 2 : c - group / 2;
                y[c] = x[c] * w[c] + x[other] * b[c];
            }
}
