/* x[n] = exp(x) / their sum */
static void softmax(float *x, int n)
{
    float top = x[0], sum = 0.0f;
    for (int i = 1; i < n; i++)
        top = x[i] > top ? x[i] : top;
    for (int i = 0; i < n; i++) {
        x[i] = expf(x[i] - top);
        sum += x[i];
    }
    for (int i = 0; i < n; i++)
        x[i] /= sum;
}
