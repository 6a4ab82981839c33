/* Models of other programs: layers in front of the head, and a folder of transformers with its
 * classifier, against plain loops. */
#include "made_up.h"
#include "support.h"

#include "model/foreign.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HIDDEN = 7, CLASSES = 3 };
static const char *const labels[] = {"a", "b", "c"};

static float *noise(uint32_t key, int n)
{
    float *x = malloc((size_t)n * sizeof *x);
    assert_non_null(x);
    for (int i = 0; i < n; i++)
        x[i] = (float)made_up_noise(key, (uint32_t)i);
    return x;
}

/* A model on the small network with a layer of HIDDEN in front of its head. */
static hst_model *layered(const hst_backbone *b, enum hst_act act)
{
    hst_err err = {0};
    hst_model *m = made_up_model(b, labels, CLASSES);
    const hst_hidden h = {m->dim, HIDDEN, act, noise(1, m->dim * HIDDEN), noise(2, HIDDEN)};
    check_ok(hst_model_set_layers(m, &h, 1, noise(3, HIDDEN * CLASSES), noise(4, CLASSES), &err),
             &err);
    return m;
}

static double plain_act(enum hst_act act, double y)
{
    return act == HST_ACT_RELU     ? fmax(y, 0)
           : act == HST_ACT_RELU6  ? fmin(fmax(y, 0), 6)
           : act == HST_ACT_HSWISH ? y * fmin(fmax(y + 3, 0), 6) / 6
           : act == HST_ACT_SWISH  ? y / (1 + exp(-y))
                                   : y * 0.5 * (1 + erf(y / sqrt(2)));
}

static double plain_logit(const hst_model *m, const float *x, int c)
{
    const hst_hidden *h = m->hidden;
    double z = (double)m->bias[c];
    for (int k = 0; k < HIDDEN; k++) {
        double y = (double)h->bias[k];
        for (int i = 0; i < m->dim; i++)
            y += (double)x[i] * (double)h->kernel[i * HIDDEN + k];
        z += plain_act(h->act, y) * (double)m->kernel[k * CLASSES + c];
    }
    return z;
}

static void layers_compute(void **state)
{
    (void)state;
    static const enum hst_act acts[] = {HST_ACT_RELU, HST_ACT_RELU6, HST_ACT_HSWISH, HST_ACT_SWISH,
                                        HST_ACT_GELU};
    hst_err err = {0};
    hst_ctx *ctx = made_up_ctx(1);
    hst_backbone *b = made_up_backbone(ctx, 1);
    for (size_t a = 0; a < sizeof acts / sizeof *acts; a++) {
        hst_model *m = layered(b, acts[a]);
        float *x = noise(5, m->dim), *slope = noise(6, m->dim), prob[CLASSES];
        double sum = 0;
        hst_model_head(m, x, prob);
        for (int c = 0; c < CLASSES; c++)
            sum += exp(plain_logit(m, x, c));
        for (int c = 0; c < CLASSES; c++)
            assert_true(fabs((double)prob[c] - exp(plain_logit(m, x, c)) / sum) < 1e-6);
        assert_int_equal(hst_model_save(m, "/nowhere", &err), HST_EUNSUP);
        /* ReLU is made of straight lines: there the slope is that of the logit */
        check_ok(hst_model_slope(m, x, 1, slope, &err), &err);
        for (int i = 0; acts[a] == HST_ACT_RELU && i < m->dim; i += 97) {
            const float was = x[i];
            x[i] = was + 1e-3f;
            const double up = plain_logit(m, x, 1);
            x[i] = was - 1e-3f;
            const double down = plain_logit(m, x, 1);
            x[i] = was;
            assert_true(fabs((up - down) / 2e-3 - (double)slope[i]) < 1e-3);
        }
        free(x);
        free(slope);
        hst_model_free(m);
    }
    hst_backbone_free(b);
    hst_close(ctx);
}

/* The folder's classifier by hand. */
static void check_head(const hst_model *m, const made_up *tensors)
{
    const hst_tensor *w = made_up_find(tensors, "classifier.weight"),
                     *bias = made_up_find(tensors, "classifier.bias");
    const float *kernel = w->data, *add = bias->data;
    float *x = noise(9, m->dim);
    assert_int_equal(w->dim[0], m->n_classes);
    for (int c = 0; c < m->n_classes; c++) {
        double z = (double)add[c];
        for (int i = 0; i < m->dim; i++)
            z += (double)x[i] * (double)kernel[c * m->dim + i];
        assert_true(fabs(hst_model_logit(m, x, c) - z) < 1e-5);
    }
    free(x);
}

static void folder_of_transformers(void **state)
{
    (void)state;
    hst_err err = {0};
    hst_ctx *ctx = made_up_ctx(1);
    made_up t = made_up_tensors(0.1, 3);
    const int n = (int)made_up_find(&t, "classifier.weight")->dim[0];
    char config[4096];
    size_t at = (size_t)snprintf(config, sizeof config, "%.*s, \"id2label\": {",
                                 (int)strlen(MADE_UP_CONFIG) - 1, MADE_UP_CONFIG);
    for (int i = 0; i < n; i++)
        at += (size_t)snprintf(config + at, sizeof config - at, "%s\"%d\": \"no. %d\"",
                               i ? ", " : "", i, i);
    snprintf(config + at, sizeof config - at, "}}");
    char *dir = made_up_folder(&t, config);
    hst_model *m = hst_model_load(ctx, dir, &err);
    check_ok(m ? 0 : err.code, &err);
    assert_int_equal(hst_model_classes(m), n);
    assert_string_equal(hst_model_label(m, 0), "no. 0");
    check_head(m, &t);
    hst_model_free(m);
    hst_model_opts o = hst_model_opts_default();
    o.labels = "/nowhere/labels.txt";
    m = hst_model_load_with(ctx, dir, &o, &err);
    assert_null(m);
    assert_non_null(strstr(err.msg, "/nowhere/labels.txt"));
    remove_tree(dir);
    free(dir);
    made_up_free(&t);
    hst_close(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(layers_compute),
                                       cmocka_unit_test(folder_of_transformers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
