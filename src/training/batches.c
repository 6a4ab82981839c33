#include "training/batches.h"

#include "base/mem.h"

#include <stdlib.h>

static int make_class_weights(hst_batches *b, size_t batch, hst_err *err)
{
    const hst_fit *f = b->fit;
    if (f->run->class_weights.kind == HST_UNWEIGHTED)
        return 0;
    b->class_weight = hst_alloc((size_t)f->model->n_classes, sizeof *b->class_weight, err);
    b->weight = hst_alloc(batch, sizeof *b->weight, err);
    if (!b->class_weight || !b->weight)
        return HST_EMEM;
    hst_weigh_classes(&f->run->class_weights, &f->train, f->model->n_classes, b->class_weight);
    return 0;
}

int hst_batches_init(hst_batches *b, const hst_fit *f, size_t batch, hst_err *err)
{
    const hst_settings *o = &f->run->settings;
    *b = (hst_batches){.fit = f};
    if (o->dropout > 0 && !(b->keep = hst_alloc(batch, (size_t)f->model->dim, err)))
        return HST_EMEM;
    int mixes = o->mixup > 0 || o->cutmix > 0;
    if (mixes && !(b->other = hst_alloc(batch, sizeof *b->other, err)))
        return HST_EMEM;
    return make_class_weights(b, batch, err);
}

void hst_batches_clear(hst_batches *b)
{
    free(b->class_weight);
    free(b->weight);
    free(b->other);
    free(b->keep);
    *b = (hst_batches){0};
}

/* Mixes the photos of the batch, if they are to be; returns the part that is each one's own. */
static float mix(const hst_batches *b, const hst_load *load)
{
    const hst_settings *o = &b->fit->run->settings;
    const hst_size size = b->fit->run->features->prep.size;
    if (!b->other)
        return 1;
    hst_mix m =
        hst_mix_draw(&(hst_mixing){o->mixup, o->cutmix}, o->seed, (uint32_t)load->step, size);
    hst_mix_apply(&m, load->x, &load->rows, size);
    for (size_t i = 0; i < load->n; i++)
        b->other[i] = load->label[hst_mix_partner(i, load->n)];
    return m.part;
}

static void weigh(const hst_batches *b, const hst_load *load, float part)
{
    for (size_t i = 0; b->weight && i < load->n; i++) {
        double own = b->class_weight[load->label[i]];
        double other = b->other ? b->class_weight[b->other[i]] : own;
        b->weight[i] = (float)((double)part * own + (1 - (double)part) * other);
    }
}

hst_train_batch hst_batches_make(hst_batches *b, const hst_load *load, double learning_rate)
{
    const hst_settings *o = &b->fit->run->settings;
    const size_t floats = hst_size_pixels(b->fit->run->features->prep.size) * 3;
    hst_dropout drop = {o->seed, (uint32_t)load->step, o->dropout};
    float part = mix(b, load);
    if (b->keep)
        hst_dropout_draw(&drop, load->n, (size_t)b->fit->model->dim, b->keep);
    weigh(b, load, part);
    return (hst_train_batch){.x = load->x + load->rows.first * floats,
                             .head = {.label = load->label,
                                      .n = load->n,
                                      .keep = b->keep,
                                      .keep_scale = (float)(1 / (1 - o->dropout)),
                                      .weight = b->weight,
                                      .other = b->other,
                                      .part = part},
                             .learning_rate = learning_rate};
}
