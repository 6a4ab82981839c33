/* Pillow's Image.resize: every output is a weighted sum of the inputs under a filter that widens
 * as the picture shrinks, weights in 22 bits, each of the two passes rounded to 8 bits. */
enum { BITS = 22 };

static double filter(double x)
{
    x = fabs(x);
    if (!BICUBIC)
        return x < 1.0 ? 1.0 - x : 0.0;
    if (x < 1.0)
        return (1.5 * x - 2.5) * x * x + 1.0;
    return x < 2.0 ? (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5 : 0.0;
}

/* One dimension: output i is the sum over t < count[i] of
 * weight[i * width + t] in[first[i] + t]. */
struct axis {
    int in, out, from, n, width;
    int32_t *weight, *first, *count;
};

static void axis_position(const struct axis *a, int i)
{
    const double scale = (double)a->in / a->out, stretch = scale > 1.0 ? scale : 1.0;
    const double centre = (a->from + i + 0.5) * scale, support = (BICUBIC ? 2.0 : 1.0) * stretch;
    int first = (int)(centre - support + 0.5), end = (int)(centre + support + 0.5);
    double sum = 0.0;
    first = first > 0 ? first : 0;
    end = end < a->in ? end : a->in;
    for (int t = first; t < end; t++)
        sum += filter((t - centre + 0.5) * (1.0 / stretch));
    for (int t = first; t < end; t++) {
        const double f = filter((t - centre + 0.5) * (1.0 / stretch));
        const double w = (sum < 0.0 || sum > 0.0 ? f / sum : f) * (1 << BITS);
        a->weight[i * a->width + t - first] = (int32_t)(w < 0.0 ? w - 0.5 : w + 0.5);
    }
    a->first[i] = first;
    a->count[i] = end - first;
}

/* Takes what it needs of *room, of which there is so much; 0: that is too little. */
static int axis_make(struct axis *a, int32_t **room, int *left)
{
    const double scale = (double)a->in / a->out;
    const double width = ceil((BICUBIC ? 2.0 : 1.0) * (scale > 1.0 ? scale : 1.0)) * 2.0 + 1.0;
    if (width + 2.0 > (double)*left / a->n)
        return 0;
    a->width = (int)width;
    a->weight = *room;
    a->first = *room + a->n * a->width;
    a->count = a->first + a->n;
    *room = a->count + a->n;
    *left -= a->n * (a->width + 2);
    for (int i = 0; i < a->n; i++) {
        if (a->in == a->out) { /* as it is */
            a->weight[i * a->width] = 1 << BITS;
            a->first[i] = a->from + i;
            a->count[i] = 1;
        } else {
            axis_position(a, i);
        }
    }
    return 1;
}

static int32_t rounded(int32_t sum)
{
    return sum < 0 ? 0 : sum >> BITS > 255 ? 255 : sum >> BITS;
}

/* The sum of n inputs, `step` bytes apart. */
static int32_t weighted(const uint8_t *in, int step, const int32_t *w, int n)
{
    int32_t sum = 1 << (BITS - 1);
    for (int t = 0; t < n; t++)
        sum += in[(size_t)t * (size_t)step] * w[t];
    return rounded(sum);
}

/* Row y, along the rows first; sum[3 width] is work memory. */
static void row_across(const uint8_t *rgb, const struct axis *x, const struct axis *y, int row,
                       int32_t *sum, float *out)
{
    for (int i = 0; i < 3 * x->n; i++)
        sum[i] = 1 << (BITS - 1);
    for (int t = 0; t < y->count[row]; t++) {
        const uint8_t *from = rgb + (size_t)(y->first[row] + t) * (size_t)x->in * 3;
        const int32_t w = y->weight[row * y->width + t];
        for (int i = 0; i < 3 * x->n; i++)
            sum[i] += weighted(from + x->first[i / 3] * 3 + i % 3, 3, x->weight + i / 3 * x->width,
                               x->count[i / 3]) *
                      w;
    }
    for (int i = 0; i < 3 * x->n; i++)
        out[i] = (float)rounded(sum[i]);
}

/* Row y, down first. */
static void row_down(const uint8_t *rgb, const struct axis *x, const struct axis *y, int row,
                     float *out)
{
    const uint8_t *from = rgb + (size_t)y->first[row] * (size_t)x->in * 3;
    for (int i = 0; i < 3 * x->n; i++) {
        const int32_t *w = x->weight + i / 3 * x->width;
        int32_t sum = 1 << (BITS - 1);
        for (int t = 0; t < x->count[i / 3]; t++)
            sum += weighted(from + (x->first[i / 3] + t) * 3 + i % 3, 3 * x->in,
                            y->weight + row * y->width, y->count[row]) *
                   w[t];
        out[i] = (float)rounded(sum);
    }
}

/* out[HEIGHT][WIDTH][3]; room[left] is work memory. */
static int resize(const uint8_t *rgb, int w, int h, const struct place *p, float *out,
                  int32_t *room, int left)
{
    struct axis x = {w, p->dw, p->x, p->w, 0, NULL, NULL, NULL};
    struct axis y = {h, p->dh, p->y, p->h, 0, NULL, NULL, NULL};
    const int down_first = p->dw != w && p->dh < h && h - p->dh > 2 * (w - p->dw);
    if (!axis_make(&x, &room, &left) || !axis_make(&y, &room, &left) || left < 3 * p->w)
        return -1;
    for (int row = 0; row < p->h; row++) {
        float *to = out + ((p->top + row) * WIDTH + p->left) * 3;
        if (down_first)
            row_down(rgb, &x, &y, row, to);
        else
            row_across(rgb, &x, &y, row, room, to);
    }
    return 0;
}
