/* equalise.c - 8 bits have one width of steps for all channels of a value: channels that are small
 * have few of them. Behind ReLU a channel can be as large as the largest one, where what reads it
 * makes up for it (Nagel et al. 2019, arXiv:1906.04721, 4.1). A depthwise convolution can at no
 * cost, as its kernel has a scale of its own for every channel. Powers of two change nothing but
 * exponents: up to twice the largest numbers of the photos the network in float32 stays what it
 * is. */
#include "exports/photos.h"

#include <math.h>

/* The only step that reads i, where it is a depthwise convolution; else NULL. */
static hst_do_step *reader_of(hst_program *p, int i)
{
    for (int k = i + 1; p->step[i].readers == 1 && k < p->n; k++)
        for (int n = 0; n < p->step[k].n_inputs; n++)
            if (p->step[k].input[n] == i)
                return p->step[k].what == HST_DO_DEPTHWISE ? &p->step[k] : NULL;
    return NULL;
}

static void multiply(float *x, size_t n, size_t step, float by)
{
    for (size_t i = 0; x && i < n; i += step)
        x[i] *= by;
}

/* For a channel of which photos have so much, where the value has a range up to `end`: half of the
 * room is left to other photos. 1 where nothing was seen. */
static float factor(double end, double most)
{
    enum { MOST_BITS = 6 };
    const int bits = most > 0 ? ilogb(end / (2 * most)) : 0;
    return ldexpf(1, bits < 0 ? 0 : bits < MOST_BITS ? bits : MOST_BITS);
}

void hst_export_equalise(hst_program *p, hst_step_range *range)
{
    for (int i = 0; i < p->n; i++) {
        hst_do_step *s = &p->step[i], *reader = reader_of(p, i);
        const int is_product = s->what == HST_DO_CONV || s->what == HST_DO_DEPTHWISE;
        const int clips = s->act == HST_ACT_RELU || s->act == HST_ACT_RELU6;
        if (!reader || !is_product || !clips || !range[i].most)
            continue;
        const size_t channels = (size_t)hst_do_channels(s);
        for (size_t c = 0; c < channels; c++) {
            const float by = factor((double)range[i].value.most, (double)range[i].most[c]);
            multiply(s->w + c, s->n_w - c, channels, by);
            multiply(s->b + c, 1, 1, by);
            multiply(reader->w + c, reader->n_w - c, channels, 1 / by);
            range[i].mean[c] *= by;
            range[i].most[c] *= by;
        }
    }
}
