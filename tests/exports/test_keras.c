/* Keras files: HDF5 as our own reader reads it, the layers of every family. */
#include "made_up.h"
#include "networks.h"
#include "support.h"

#include "base/file.h"
#include "base/json.h"
#include "exports/export.h"
#include "exports/hdf5.h"
#include "formats/convert.h"
#include "formats/safetensors.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- HDF5 ---- */

static void write_h5(const char *path, const float *numbers)
{
    hst_err err = {0};
    hst_h5 h = {0};
    hst_buf b = HST_BUF(1 << 20);
    const int root = hst_h5_group(&h, -1, "", &err);
    const int layers = hst_h5_group(&h, root, "layers", &err);
    for (int i = 0; i < 40; i++) { /* more than a group has without a tree of its own */
        char name[32];
        snprintf(name, sizeof name, i ? "dense_%d" : "dense", i);
        const int vars = hst_h5_group(&h, hst_h5_group(&h, layers, name, &err), "vars", &err);
        check_ok(hst_h5_data(&h, vars, "0", numbers, 2, (int[]){2, 3}, &err), &err);
        check_ok(hst_h5_data(&h, vars, "1", numbers + i % 4, 1, (int[]){3}, &err), &err);
    }
    assert_int_equal(hst_h5_group(&h, root, "layers", &err), layers);
    check_ok(hst_h5_head(&h, &b, &err), &err);
    for (size_t i = 0; i < h.n; i++)
        if (h.object[i].p) {
            assert_int_equal(h.object[i].data, b.n);
            hst_buf_add(&b, h.object[i].p, sizeof(float) * hst_h5_count(&h.object[i]));
        }
    check_ok(hst_file_write(path, b.p, b.n, &err), &err);
    hst_buf_free(&b);
    hst_h5_free(&h);
}

static void groups_and_data(void **state)
{
    (void)state;
    static const float numbers[6] = {1, -2, 3.5f, 0, 1e-30f, 7};
    hst_err err = {0};
    hst_ctx *ctx = made_up_ctx(1);
    char *dir = temporary_folder(), *path = hst_path_join(dir, "a.weights.h5", &err);
    char *to = hst_path_join(dir, "a.safetensors", &err);
    write_h5(path, numbers);
    check_ok(hst_convert(ctx, path, to, &err), &err);
    hst_tensors *t = hst_tensors_read(to, &err);
    check_ok(t == NULL, &err);
    assert_int_equal(hst_tensors_count(t), 80);
    const hst_tensor *w = hst_tensors_find(t, "dense_39/kernel");
    const hst_tensor *b = hst_tensors_find(t, "dense_39/bias");
    assert_true(w && b && w->n_dims == 2 && w->dim[0] == 2 && w->dim[1] == 3 && b->n_dims == 1);
    assert_memory_equal(w->data, numbers, sizeof numbers);
    assert_memory_equal(b->data, numbers + 3, 3 * sizeof *numbers);
    hst_tensors_free(t);
    free(to);
    free(path);
    remove_tree(dir);
    free(dir);
    hst_close(ctx);
}

/* ---- norms ---- */

static void norms_stay(void **state)
{
    (void)state;
    static const char *const labels[] = {"a", "b"};
    hst_err err = {0};
    hst_ctx *ctx = made_up_ctx(1);
    hst_backbone *b = made_up_backbone(ctx, 1);
    hst_model *m = made_up_model(b, labels, 2);
    hst_program p = {.keeps_norms = 1};
    check_ok(hst_export_program(m, &(hst_ends){0}, &p, &err), &err);
    int norms = 0;
    for (int i = 0; i < p.n; i++) {
        const hst_do_step *s = &p.step[i];
        char name[96];
        snprintf(name, sizeof name, "%s/%s", s->name,
                 s->what == HST_DO_BATCH_NORM  ? "moving_variance"
                 : s->what == HST_DO_DEPTHWISE ? "depthwise_kernel"
                                               : "kernel");
        const hst_param *x = hst_graph_find(b->graph, name);
        const float *w = s->what == HST_DO_BATCH_NORM ? s->w + s->n_w / 4 * 3 : s->w;
        norms += s->what == HST_DO_BATCH_NORM;
        assert_true(x || (s->what != HST_DO_BATCH_NORM && s->what != HST_DO_CONV));
        if (x)
            assert_memory_equal(w, x->data, hst_param_count(x) * sizeof *w);
    }
    assert_int_equal(norms, 52);
    hst_program_free(&p);
    hst_model_free(m);
    hst_backbone_free(b);
    hst_close(ctx);
}

/* ---- families ---- */

/* The configuration of an archive, whose members are stored. */
static json_t *config_of(const uint8_t *p, size_t n)
{
    static const char name[] = "config.json{";
    hst_err err = {0};
    size_t at = 30;
    while (at + sizeof name < n && memcmp(p + at, name, sizeof name - 1) != 0)
        at++;
    const uint8_t *front = p + at - 30;
    const size_t length = front[22] | (size_t)front[23] << 8 | (size_t)front[24] << 16;
    json_t *o = hst_json_parse((const char *)p + at + strlen("config.json"), length, "it", &err);
    check_ok(o == NULL, &err);
    return o;
}

/* Layers have names of their own, and read what is in front of them. */
static void check_layers(const json_t *config)
{
    json_t *layers = json_object_get(json_object_get(config, "config"), "layers"), *layer;
    json_t *before = json_object(), *input;
    size_t i, k;
    assert_true(json_array_size(layers) > 10);
    json_array_foreach(layers, i, layer)
    {
        const char *name = json_string_value(json_object_get(layer, "name"));
        json_t *args =
            json_object_get(json_array_get(json_object_get(layer, "inbound_nodes"), 0), "args");
        args = json_is_array(json_array_get(args, 0)) ? json_array_get(args, 0) : args;
        assert_int_equal(json_array_size(args) > 0, i > 0);
        json_array_foreach(args, k, input)
        {
            json_t *from = json_object_get(json_object_get(input, "config"), "keras_history");
            assert_non_null(json_object_get(before, json_string_value(json_array_get(from, 0))));
        }
        assert_true(name && !strchr(name, '/') && !json_object_get(before, name));
        json_object_set_new(before, name, json_true());
    }
    json_decref(before);
}

static void check_network(const hst_arch *arch, const char *dir)
{
    static const char *const labels[] = {"one", "two", "three"};
    hst_ctx *ctx = made_up_ctx(2);
    hst_backbone *b = made_up_network(ctx, arch);
    hst_model *m = made_up_model(b, labels, 3);
    uint8_t *bytes[2] = {NULL};
    size_t n[2] = {0};
    for (int i = 0; i < 2; i++) {
        hst_err err = {0};
        char *path = hst_path_join(dir, i ? "b.keras" : "a.keras", &err);
        hst_export_opts o = hst_export_opts_default();
        hst_exported out = {.size = sizeof out};
        o.format = "keras";
        o.check = i; /* where this machine's Python has Keras */
        check_ok(hst_export(ctx, m, path, &o, &out, &err), &err);
        check_ok(hst_file_read(path, 1 << 28, HST_EIO, &bytes[i], &n[i], &err), &err);
        if (getenv("HEADSTART_HELPER"))
            assert_string_equal(out.checked, "read back");
        free(path);
    }
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(bytes[0], bytes[1], n[0]);
    json_t *config = config_of(bytes[0], n[0]);
    check_layers(config);
    json_decref(config);
    free(bytes[0]);
    free(bytes[1]);
    hst_model_free(m);
    hst_backbone_free(b);
    hst_close(ctx);
}

static void families(void **state)
{
    (void)state;
    char *dir = temporary_folder();
    for (size_t i = 0; i < NETWORKS; i++)
        if (networks[i].is_large < 2)
            check_network(&networks[i].arch, dir);
    remove_tree(dir);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(groups_and_data),
                                       cmocka_unit_test(norms_stay), cmocka_unit_test(families)};
    return cmocka_run_group_tests_name("exports_keras", tests, NULL, NULL);
}
