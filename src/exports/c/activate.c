enum act { NONE, RELU6, RELU, SIGMOID, HSIGMOID, HSWISH, SWISH, GELU, GELU_TANH, GELU_QUICK };

static float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

static float clamp(float x, float most)
{
    return x < 0.0f ? 0.0f : x > most ? most : x;
}

static float act_of(float x, enum act act)
{
    switch (act) {
    case RELU6:
        return clamp(x, 6.0f);
    case RELU:
        return x < 0.0f ? 0.0f : x;
    case SIGMOID:
        return sigmoid(x);
    case HSIGMOID:
        return clamp(x + 3.0f, 6.0f) / 6.0f;
    case HSWISH:
        return x * clamp(x + 3.0f, 6.0f) / 6.0f;
    case SWISH:
        return x * sigmoid(x);
    case GELU:
        return 0.5f * x * (1.0f + erff(x * 0.70710678f));
    case GELU_TANH:
        return x * sigmoid(1.5957691f * (x + 0.044715f * x * x * x));
    case GELU_QUICK:
        return x * sigmoid(1.702f * x);
    case NONE:
        break;
    }
    return x;
}

/* y[n] = act(y) */
static void activate(float *y, int n, enum act act)
{
    if (act == RELU6) { /* a loop of its own, so that a compiler makes vectors of it */
        for (int i = 0; i < n; i++)
            y[i] = y[i] < 0.0f ? 0.0f : y[i] > 6.0f ? 6.0f : y[i];
        return;
    }
    if (act == RELU) {
        for (int i = 0; i < n; i++)
            y[i] = y[i] < 0.0f ? 0.0f : y[i];
        return;
    }
    for (int i = 0; act != NONE && i < n; i++)
        y[i] = act_of(y[i], act);
}
