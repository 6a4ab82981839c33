/* Grouped convolutions, a row of a group, against double precision. */
#include "cases.h"
#include "guard.h"

#include <math.h>
#include <string.h>

typedef struct grouped_case {
    int outputs, in, out, kernel, stride;
    float clamp;
    int place, gap; /* gap: floats between outputs that are another group's */
} grouped_case;

static double clamped(double v, float clamp)
{
    return clamp > 0 ? fmin(fmax(v, 0), (double)clamp) : v;
}

static int value(const hst_grouped *g, int i, int c)
{
    double sum = g->bias[c], sizes = fabs(sum);
    const int run = g->kernel * g->in, columns = hst_grouped_columns(g->out);
    for (int k = 0; k < g->kernel * run; k++) {
        const float *row = g->x + (size_t)(k / run) * g->x_row + i * g->stride * g->in;
        const double term = (double)row[k % run] * (double)g->w[k * columns + c];
        sum += term;
        sizes += fabs(term);
    }
    const size_t at = (size_t)i * g->y_step + (size_t)c;
    return far(at, g->y[at], clamped(sum, g->clamp), sizes, g->kernel * run);
}

static int check(const hst_kernels *kn, const grouped_case *t)
{
    const size_t columns = (size_t)hst_grouped_columns(t->out), n = (size_t)t->out;
    const size_t wide = (size_t)((t->outputs - 1) * t->stride + t->kernel);
    const size_t row = wide * (size_t)t->in, step = n + (size_t)t->gap;
    const size_t n_y = (size_t)(t->outputs - 1) * step + n;
    guarded x = numbers((size_t)t->kernel * row, t->place, 1);
    guarded w = numbers((size_t)(t->kernel * t->kernel * t->in) * columns, t->place, 2);
    guarded bias = numbers(columns, t->place, 3), y = numbers(n_y, t->place, 4);
    guarded before = numbers(n_y, t->place, 4);
    const hst_grouped g = {.x = x.p,
                           .x_row = row,
                           .w = w.p,
                           .bias = bias.p,
                           .y = y.p,
                           .y_step = step,
                           .outputs = t->outputs,
                           .in = t->in,
                           .out = t->out,
                           .kernel = t->kernel,
                           .stride = t->stride,
                           .clamp = t->clamp};
    int wrong = 0;
    kn->grouped(&g);
    for (int i = 0; i < t->outputs; i++)
        for (int c = 0; c < t->out; c++)
            wrong |= value(&g, i, c);
    for (size_t i = 0; i + 1 < (size_t)t->outputs; i++) /* nothing between outputs is written */
        wrong |=
            memcmp(y.p + i * step + n, before.p + i * step + n, (size_t)t->gap * sizeof *y.p) != 0;
    if (wrong)
        say_wrong(kn, "grouped %dx%d/%d, %d outputs, %d channels of %d", t->kernel, t->kernel,
                  t->stride, t->outputs, t->out, t->in);
    guarded *all[] = {&x, &w, &bias, &y, &before};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        release(all[i]);
    return wrong;
}

int grouped_rows(const hst_kernels *kn)
{
    static const int widths[] = {1, 3, 4, 8, 11, 16, 17, 24, 40}, kernels[] = {1, 3, 5};
    enum { WIDTHS = sizeof widths / sizeof *widths, KERNELS = sizeof kernels / sizeof *kernels };
    int wrong = 0;
    for (int i = 0; i < WIDTHS * KERNELS; i++)
        for (int outputs = 1; outputs <= 30; outputs++)
            wrong += check(kn, &(grouped_case){.outputs = outputs,
                                               .in = widths[(i + outputs) % WIDTHS],
                                               .out = widths[i % WIDTHS],
                                               .kernel = kernels[i / WIDTHS],
                                               .stride = 1 + outputs % 3,
                                               .clamp = outputs % 3 == 0   ? 0
                                                        : outputs % 3 == 1 ? 6
                                                                           : INFINITY,
                                               .place = (i + outputs) & 1,
                                               .gap = outputs % 4});
    return wrong;
}
