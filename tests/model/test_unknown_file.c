/* Model files with what tells unknown photos: it comes back as it was; lies in it are refused. */
#include "file_scene.h"
#include "made_up.h"
#include "support.h"

#include "base/file.h"

#include <math.h>
#include <stdlib.h>

/* What hst_unknown is made of, in a model of three classes. */
static void what_tells_unknown_photos_is_kept(void **state)
{
    (void)state;
    static const int label[] = {2, 0, 2};
    scene *s = set_up();
    hst_err err = {0};
    const size_t dim = (size_t)s->m->dim;
    float *x = calloc(3 * dim, sizeof *x);
    const float *row[] = {x, x + dim, x + 2 * dim};
    for (size_t i = 0; i < 3 * dim; i++)
        x[i] = (float)made_up_noise(3, (uint32_t)i);
    hst_unknown *u = s->m->unknown = hst_unknown_new(s->m->extractor, row, NULL, label, 3, &err);
    check_ok(u == NULL, &err);
    for (int i = 0; i < HST_N_STRANGE; i++) {
        u->mean[i] = -0.3 * i;
        u->deviation[i] = 0.1 * i;
    }
    u->threshold = 1.0 / 3;
    u->rate = 0.05;
    check_ok(hst_model_save(s->m, s->path, &err), &err);
    hst_model *m = hst_model_load(s->ctx, s->path, &err);
    check_ok(m == NULL, &err);
    assert_true(hst_model_tells_unknown(m));
    const hst_unknown *v = m->unknown;
    assert_int_equal(v->n, 3);
    assert_memory_equal(v->root, u->root, 3 * dim);
    assert_memory_equal(v->plain, u->plain, 3 * dim);
    assert_memory_equal(v->root_scale, u->root_scale, 3 * sizeof(double));
    assert_memory_equal(v->plain_scale, u->plain_scale, 3 * sizeof(double));
    assert_memory_equal(v->label, u->label, sizeof label);
    assert_memory_equal(v->mean, u->mean, sizeof u->mean);
    assert_memory_equal(v->deviation, u->deviation, sizeof u->deviation);
    assert_true(v->threshold == u->threshold && v->rate == u->rate);
    hst_model_free(m);
    m = hst_model_load(s->ctx, s->path, &err); /* and once more, byte for byte */
    check_ok(m == NULL || hst_model_save(m, s->path, &err), &err);
    hst_model_free(m);
    free(s->bytes);
    check_ok(hst_file_read(s->path, 1u << 30, HST_EIO, &s->bytes, &s->n, &err), &err);
    check_ok(hst_model_save(s->m, s->path, &err), &err);
    uint8_t *again;
    size_t n;
    check_ok(hst_file_read(s->path, 1u << 30, HST_EIO, &again, &n, &err), &err);
    assert_int_equal(n, s->n);
    assert_memory_equal(again, s->bytes, n);
    free(again);
    free(x);
    tear_down(s);
}

/* Each of its tensors left out, of another type, of another shape, or with a value that no training
 * writes. */
static void lies_about_unknown_photos_are_refused(void **state)
{
    (void)state;
    static const double nan_first[8] = {NAN}, huge[8] = {0, 0, 0, 1, 1, 1, 1e31, .05},
                        negative[8] = {0, 0, 0, 1, -1, 1, 0, .05},
                        tiny[8] = {0, 0, 0, 1, 1, 1e-300, 0, .05}, never[8] = {0},
                        always[8] = {0, 0, 0, 1, 1, 1, 0, 1};
    static const int32_t labels_lie[][3] = {{0, 1, 3}, {0, -1, 2}};
    static const int label[] = {2, 0, 2};
    scene *s = set_up();
    parts *p = calloc(1, sizeof *p);
    hst_err err = {0};
    const size_t dim = (size_t)s->m->dim;
    float *x = calloc(dim, sizeof *x);
    int8_t *root = calloc(3, dim), *many = calloc(hst_unknown_most((int)dim) + 1, dim);
    int32_t *zeros = calloc(hst_unknown_most((int)dim) + 1, sizeof *zeros);
    const float *row[] = {x, x, x};
    root[2 * dim + 1] = INT8_MIN;
    s->m->unknown = hst_unknown_new(s->m->extractor, row, NULL, label, 3, &err);
    check_ok(s->m->unknown == NULL, &err);
    s->m->unknown->rate = 0.05;
    check_ok(hst_model_save(s->m, s->path, &err), &err);
    free(s->bytes);
    check_ok(hst_file_read(s->path, 1u << 30, HST_EIO, &s->bytes, &s->n, &err), &err);
    const struct {
        const char *name;
        hst_tensor t; /* n_dims 0: left out */
    } lies[] = {
        {"unknown/root", {0}},
        {"unknown/label", {0}},
        {"unknown/numbers", {0}},
        {"unknown/root", {.dtype = HST_U8, .n_dims = 2, .dim = {3, (int64_t)dim}, .data = root}},
        {"unknown/root", {.dtype = HST_I8, .n_dims = 1, .dim = {3 * (int64_t)dim}, .data = root}},
        {"unknown/root", {.dtype = HST_I8, .n_dims = 2, .dim = {(int64_t)dim, 3}, .data = many}},
        {"unknown/root", {.dtype = HST_I8, .n_dims = 2, .dim = {2, (int64_t)dim}, .data = many}},
        {"unknown/root", {.dtype = HST_I8, .n_dims = 2, .dim = {0, (int64_t)dim}, .data = many}},
        {"unknown/root", {.dtype = HST_I8, .n_dims = 2, .dim = {3, (int64_t)dim}, .data = root}},
        {"unknown/label", {.dtype = HST_I64, .n_dims = 1, .dim = {3}, .data = many}},
        {"unknown/label", {.dtype = HST_I32, .n_dims = 1, .dim = {4}, .data = many}},
        {"unknown/label", {.dtype = HST_I32, .n_dims = 1, .dim = {3}, .data = labels_lie[0]}},
        {"unknown/label", {.dtype = HST_I32, .n_dims = 1, .dim = {3}, .data = labels_lie[1]}},
        {"unknown/numbers", {.dtype = HST_F32, .n_dims = 1, .dim = {8}, .data = many}},
        {"unknown/numbers", {.dtype = HST_F64, .n_dims = 1, .dim = {7}, .data = many}},
        {"unknown/numbers", {.dtype = HST_F64, .n_dims = 1, .dim = {8}, .data = nan_first}},
        {"unknown/numbers", {.dtype = HST_F64, .n_dims = 1, .dim = {8}, .data = huge}},
        {"unknown/numbers", {.dtype = HST_F64, .n_dims = 1, .dim = {8}, .data = negative}},
        {"unknown/numbers", {.dtype = HST_F64, .n_dims = 1, .dim = {8}, .data = tiny}},
        {"unknown/numbers", {.dtype = HST_F64, .n_dims = 1, .dim = {8}, .data = never}},
        {"unknown/numbers", {.dtype = HST_F64, .n_dims = 1, .dim = {8}, .data = always}},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        take_apart(s, p);
        hst_tensor *t = &p->named[tensor_at(p, lies[i].name)];
        if (lies[i].t.n_dims == 0) {
            *t = p->named[--p->n];
        } else {
            *t = lies[i].t;
            t->name = lies[i].name;
            t->n_bytes = hst_tensor_count(t) * hst_dtype_bytes(t->dtype);
        }
        refused_parts(s, p, "'unknown/...'");
    }
    take_apart(s, p); /* more photos than training keeps */
    hst_tensor *t = &p->named[tensor_at(p, "unknown/root")];
    t->dim[0] = (int64_t)hst_unknown_most((int)dim) + 1;
    t->n_bytes = hst_tensor_count(t);
    t->data = many;
    t = &p->named[tensor_at(p, "unknown/label")];
    t->dim[0] = (int64_t)hst_unknown_most((int)dim) + 1;
    t->n_bytes = hst_tensor_count(t) * sizeof(int32_t);
    t->data = zeros;
    refused_parts(s, p, "'unknown/...'");
    free(x);
    free(root);
    free(many);
    free(zeros);
    free(p);
    tear_down(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_tells_unknown_photos_is_kept),
        cmocka_unit_test(lies_about_unknown_photos_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
