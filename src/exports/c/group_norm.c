/* Every run of c / groups channels of x[n][c] by its own mean and variance over all n pixels, then
   times w[c] plus b[c]. */
static void group_norm(const float *x, const float *w, const float *b, float *y, int n, int c,
                       int groups, float epsilon, enum act act)
{
    const int own = c / groups;
    for (int g = 0; g < groups; g++) {
        double sum = 0.0, square = 0.0;
        for (int i = 0; i < n; i++)
            for (int k = g * own; k < (g + 1) * own; k++)
                sum += (double)x[i * c + k];
        const float middle = (float)(sum / n / own);
        for (int i = 0; i < n; i++)
            for (int k = g * own; k < (g + 1) * own; k++)
                square += (double)((x[i * c + k] - middle) * (x[i * c + k] - middle));
        const float by = 1.0f / sqrtf((float)(square / n / own) + epsilon);
        for (int i = 0; i < n; i++)
            for (int k = g * own; k < (g + 1) * own; k++)
                y[i * c + k] = (x[i * c + k] - middle) * by * w[k] + b[k];
    }
    activate(y, n * c, act);
}
