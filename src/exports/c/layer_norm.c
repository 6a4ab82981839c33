/* Every row of x[n][c] by its own mean and variance, then times w[c] plus b[c]. */
static void layer_norm(const float *x, const float *w, const float *b, float *y, int n, int c,
                       float epsilon, enum act act)
{
    for (int i = 0; i < n; i++, x += c, y += c) {
        float sum = 0.0f, square = 0.0f;
        for (int k = 0; k < c; k++)
            sum += x[k];
        const float middle = sum / (float)c;
        for (int k = 0; k < c; k++)
            square += (x[k] - middle) * (x[k] - middle);
        const float by = 1.0f / sqrtf(square / (float)c + epsilon);
        for (int k = 0; k < c; k++)
            y[k] = (x[k] - middle) * by * w[k] + b[k];
        activate(y, c, act);
    }
}
