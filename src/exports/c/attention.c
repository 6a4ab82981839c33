/* For every head, c / heads channels wide, y = softmax(scale q k') v. q[m], k[n] and v[n] are rows
 * ldq and ld numbers apart; scores[n] is work memory. */
struct attention {
    int m, n, c, heads, ldq, ld;
    float scale;
};

static void attend(const float *q, const float *k, const float *v, float *restrict y,
                   const struct attention *a, float *scores)
{
    const int d = a->c / a->heads;
    for (int j = 0; j < a->n; j++) {
        float sum = 0.0f;
        for (int i = 0; i < d; i++)
            sum += q[i] * k[j * a->ld + i];
        scores[j] = sum * a->scale;
    }
    softmax(scores, a->n);
    for (int i = 0; i < d; i++)
        y[i] = 0.0f;
    for (int j = 0; j < a->n; j++)
        for (int i = 0; i < d; i++)
            y[i] += scores[j] * v[j * a->ld + i];
}

static void attention(const float *q, const float *k, const float *v, float *y,
                      const struct attention *a, float *scores)
{
    for (int row = 0; row < a->m; row++)
        for (int c = 0; c < a->c; c += a->c / a->heads)
            attend(q + row * a->ldq + c, k + c, v + c, y + row * a->c + c, a, scores);
}
