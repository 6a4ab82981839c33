/* assemble.c - a model as a program: pixels' scaling, network, head. */
#include "base/mem.h"
#include "exports/export.h"

#include <stdlib.h>

static int input(hst_program *p, hst_size size, hst_err *err)
{
    const hst_do_step s = {
        .what = HST_DO_INPUT, .name = "image", .rank = 3, .dim = {size.height, size.width, 3}};
    return hst_program_add(p, &s, err);
}

/* (x - mean) / std as x / std - mean / std. */
static int scaling(hst_program *p, int x, const hst_pixel_norm *norm, hst_err *err)
{
    float w[3], b[3];
    int changes = 0;
    for (int c = 0; c < 3; c++) {
        w[c] = (float)(1 / (double)norm->std[c]);
        b[c] = (float)(-(double)norm->mean[c] / (double)norm->std[c]);
        changes |= w[c] != 1 || b[c] != 0;
    }
    const hst_do_step s = {.what = HST_DO_AFFINE,
                           .name = "scaling",
                           .n_inputs = 1,
                           .input = {x},
                           .w = w,
                           .b = b,
                           .n_w = 3,
                           .n_b = 3};
    return changes ? hst_program_add(p, &s, err) : x;
}

static int head(hst_program *p, int x, const hst_model *m, int logits, hst_err *err)
{
    hst_do_step s = {.what = HST_DO_DENSE,
                     .name = "head",
                     .n_inputs = 1,
                     .input = {x},
                     .rank = 1,
                     .dim = {m->n_classes},
                     .w = m->kernel,
                     .b = m->bias,
                     .n_w = (size_t)m->dim * (size_t)m->n_classes,
                     .n_b = (size_t)m->n_classes};
    if (!logits && m->target == HST_TARGET_LABELS)
        s.act = HST_ACT_SIGMOID;
    x = hst_program_add(p, &s, err);
    const hst_do_step softmax = {.what = HST_DO_SOFTMAX, .n_inputs = 1, .input = {x}};
    return x < 0 || logits || m->target != HST_TARGET_CLASS ? x : hst_program_add(p, &softmax, err);
}

/* Further views, networks side by side and changed features have no place in a program yet. */
int hst_export_only_branch(const hst_model *m, hst_err *err)
{
    char text[256];
    if (m->n_hidden)
        return hst_fail(err, HST_EUNSUP,
                        "the model has layers between the features and the head, which cannot be "
                        "exported");
    if (hst_model_plain(m))
        return 0;
    hst_extractor_describe(m->extractor, text, sizeof text);
    return hst_fail(err, HST_EUNSUP,
                    "the model looks at a photo in more than one way (%s), which cannot be "
                    "exported: train it with one backbone and without --views and --effort",
                    text);
}

int hst_export_program(const hst_model *m, const hst_ends *ends, hst_program *out, hst_err *err)
{
    if (hst_export_only_branch(m, err))
        return HST_EUNSUP;
    const hst_branch *b = hst_model_plain(m);
    const hst_prep *prep = &b->view[0].prep;
    int x = input(out, prep->size, err);
    x = x < 0 ? x : scaling(out, x, &prep->norm, err);
    x = x < 0 ? x : hst_program_lower(out, b->backbone->graph, x, err);
    if (x == HST_EMODEL && err)
        err->code = HST_EUNSUP;
    out->features = x;
    x = x < 0 ? x : head(out, x, m, ends->logits, err);
    if (x >= 0)
        out->step[x].readers++;
    return x < 0 ? x : 0;
}
