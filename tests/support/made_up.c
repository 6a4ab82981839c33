#include "made_up.h"
#include "support.h"

#include "backbones/cnn.h"
#include "base/file.h"
#include "base/random.h"

#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Sum of twelve uniform numbers: nearly normal, mean 0, deviation 1. */
static float normal(hst_rng *r)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += hst_rng_uniform(r);
    return (float)sum;
}

static float *add(made_up *m, const char *name, const char *suffix, int n_dims, const int *dim)
{
    size_t count = 1;
    char *full = NULL;
    m->tensor = realloc(m->tensor, (m->n + 1) * sizeof *m->tensor);
    assert_true(asprintf(&full, "%s%s", name, suffix) > 0);
    hst_tensor *t = &m->tensor[m->n++];
    *t = (hst_tensor){.name = full, .dtype = HST_F32, .n_dims = n_dims};
    for (int i = 0; i < n_dims; i++)
        count *= (size_t)(t->dim[i] = dim[i]);
    t->n_bytes = count * sizeof(float);
    float *data = calloc(count, sizeof *data);
    t->data = data;
    return data;
}

static void add_layer(made_up *m, const hst_layer *l, const hst_layer_names *names, hst_rng *r)
{
    int in = l->role == HST_DEPTHWISE ? 1 : l->in, counter = 0;
    int dim[4] = {l->out, in, l->kernel, l->kernel};
    size_t fan_in = (size_t)(in * l->kernel * l->kernel);
    char conv[160], bn[160];
    snprintf(conv, sizeof conv, "mobilenet_v2.%s", names->conv);
    snprintf(bn, sizeof bn, "mobilenet_v2.%s", names->bn);
    float *kernel = add(m, conv, ".weight", 4, dim);
    for (size_t i = 0; i < (size_t)l->out * fan_in; i++)
        kernel[i] = normal(r) * sqrtf(2.0f / (float)fan_in);
    float *gamma = add(m, bn, ".weight", 1, dim), *beta = add(m, bn, ".bias", 1, dim);
    float *mean = add(m, bn, ".running_mean", 1, dim), *var = add(m, bn, ".running_var", 1, dim);
    for (int c = 0; c < l->out; c++) {
        gamma[c] = 1 + 0.1f * normal(r);
        beta[c] = 0.3f * normal(r);
        mean[c] = 0.1f * normal(r);
        var[c] = 0.5f + (float)hst_rng_uniform(r);
    }
    add(m, bn, ".num_batches_tracked", 1, &counter);
    m->tensor[m->n - 1].n_dims = 0;
    m->tensor[m->n - 1].dtype = HST_I64;
    m->tensor[m->n - 1].n_bytes = 8;
    free((void *)m->tensor[m->n - 1].data);
    m->tensor[m->n - 1].data = calloc(1, 8);
}

made_up made_up_tensors(double width, uint64_t seed)
{
    const hst_family *f = hst_family_find("mobilenet_v2");
    const hst_dialect *d = f->dialects;
    hst_rng r = hst_rng_new(seed, HST_RNG_INIT, 0, 0);
    hst_arch a = {.family = "mobilenet_v2", .cnn = {.width = width}};
    hst_layers l;
    hst_err err = {0};
    check_ok(hst_cnn_layers(&a, &l, &err), &err);
    int classifier[2] = {3, l.layer[l.n - 1].out};
    made_up m = {0};
    while (strcmp(d->name, "Hugging Face") != 0)
        d++;
    for (int i = 0; i < l.n; i++) {
        hst_layer_names names;
        ((const hst_cnn_dialect *)d->own)->names(&l.layer[i], &names);
        add_layer(&m, &l.layer[i], &names, &r);
    }
    hst_layers_free(&l);
    add(&m, "classifier", ".weight", 2, classifier);
    add(&m, "classifier", ".bias", 1, classifier);
    return m;
}

hst_tensor *made_up_find(const made_up *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->tensor[i].name, name) == 0)
            return &m->tensor[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

void made_up_free(made_up *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free((void *)m->tensor[i].name);
        free((void *)m->tensor[i].data);
    }
    free(m->tensor);
}

char *made_up_folder(const made_up *m, const char *config)
{
    hst_err err = {0};
    char *dir = temporary_folder(), path[4096];
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    check_ok(hst_tensors_write(path, m->tensor, m->n, NULL, 0, &err), &err);
    snprintf(path, sizeof path, "%s/config.json", dir);
    if (config)
        check_ok(hst_file_write(path, config, strlen(config), &err), &err);
    return dir;
}

hst_ctx *made_up_ctx(int threads)
{
    hst_err err = {0};
    hst_config cfg = hst_config_default();
    cfg.threads = threads;
    cfg.offline = 1;
    hst_ctx *ctx = hst_open(&cfg, &err);
    check_ok(ctx == NULL, &err);
    return ctx;
}

hst_backbone *made_up_backbone(hst_ctx *ctx, uint64_t seed)
{
    hst_err err = {0};
    made_up m = made_up_tensors(0.1, seed);
    char *dir = made_up_folder(&m, MADE_UP_CONFIG);
    hst_backbone *b = hst_backbone_open(ctx, dir, &err);
    check_ok(b == NULL, &err);
    remove_tree(dir);
    free(dir);
    made_up_free(&m);
    return b;
}

hst_backbone *made_up_network(const hst_ctx *ctx, const hst_arch *arch)
{
    hst_err err = {0};
    hst_backbone *b = calloc(1, sizeof *b);
    b->arch = *arch;
    for (int c = 0; c < 3; c++) {
        b->arch.norm.mean[c] = 110 + (float)c;
        b->arch.norm.std[c] = 60 - (float)c;
    }
    b->graph = hst_arch_graph(&b->arch, &err);
    check_ok(b->graph == NULL, &err);
    made_up_fill(b->graph);
    b->plan = hst_plan_new(b->graph, ctx->kernels, &err);
    check_ok(b->plan == NULL, &err);
    return b;
}

hst_model *made_up_model(const hst_backbone *b, const char *const *labels, int n)
{
    hst_err err = {0};
    hst_rng r = hst_rng_new(7, HST_RNG_INIT, 1, 0);
    hst_extractor *e = hst_extractor_of(NULL, b, NULL, &err);
    check_ok(e == NULL, &err);
    hst_model *m = hst_model_new(e, labels, n, &err);
    check_ok(m == NULL, &err);
    for (int i = 0; i < m->dim * n; i++)
        m->kernel[i] = 0.2f * normal(&r);
    for (int i = 0; i < n; i++)
        m->bias[i] = 0.1f * normal(&r);
    check_ok(hst_model_set_record(m, "recipe", "made up", &err), &err);
    check_ok(hst_model_set_record(m, "seed", "7", &err), &err);
    check_ok(hst_model_seal(m, &err), &err);
    return m;
}

void made_up_png(const char *path, int w, int h, uint64_t seed)
{
    hst_rng r = hst_rng_new(seed, HST_RNG_SHUFFLE, 0, 0);
    uint8_t *rgb = malloc((size_t)w * (size_t)h * 3);
    for (int i = 0; i < w * h * 3; i++)
        rgb[i] = (uint8_t)hst_rng_below(&r, 256);
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)w,
                       .height = (png_uint_32)h,
                       .format = PNG_FORMAT_RGB};
    assert_true(png_image_write_to_file(&image, path, 0, rgb, 0, NULL));
    free(rgb);
}

/* MurmurHash3's last step. */
double made_up_noise(uint32_t key, uint32_t i)
{
    uint32_t x = i + key * 0x9E3779B9u;
    x ^= x >> 16;
    x *= 0x85EBCA6Bu;
    x ^= x >> 13;
    x *= 0xC2B2AE35u;
    x ^= x >> 16;
    return (x >> 8) / 16777216.0 - 0.5;
}

static int ends(const char *s, const char *with)
{
    size_t n = strlen(s), m = strlen(with);
    return n >= m && strcmp(s + n - m, with) == 0;
}

static void fill(const hst_param *p, uint32_t key)
{
    double spread = 0.4, middle = 0;
    if (ends(p->name, "kernel")) /* [H][W][I][O], depthwise [H][W][C][1] */
        spread = sqrt(
            24.0 / (p->dim[0] * p->dim[1] * (ends(p->name, "depthwise_kernel") ? 1 : p->dim[2])));
    else if (ends(p->name, "variance"))
        spread = middle = 1;
    else if (ends(p->name, "gamma") || ends(p->name, "scale"))
        middle = 1;
    for (size_t i = 0; i < hst_param_count(p); i++)
        p->data[i] = (float)(middle + spread * made_up_noise(key, (uint32_t)i));
}

void made_up_fill(const hst_graph *g)
{
    for (size_t i = 0; i < hst_graph_n_params(g); i++)
        fill(hst_graph_param(g, i), (uint32_t)i + 1);
}

void made_up_halve_gammas(const hst_graph *g)
{
    for (size_t i = 0; i < hst_graph_n_params(g); i++) {
        const hst_param *p = hst_graph_param(g, i);
        const char *part = strrchr(p->name, '/');
        for (size_t k = 0; part && strcmp(part, "/gamma") == 0 && k < hst_param_count(p); k++)
            p->data[k] /= 2;
    }
}

void made_up_photos(const char *dir, int classes, int per_class, int w, int h)
{
    char path[4096];
    for (int c = 0; c < classes; c++) {
        snprintf(path, sizeof path, "%s/%c", dir, 'a' + c);
        assert_int_equal(mkdir(path, 0777), 0);
        for (int i = 0; i < per_class; i++) {
            snprintf(path, sizeof path, "%s/%c/%d.png", dir, 'a' + c, i);
            made_up_png(path, w + c, h, (uint64_t)(c * per_class + i));
        }
    }
}
