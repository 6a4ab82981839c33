/* backbone.c - a name, file or folder -> a network ready to run. */
#include "backbones/backbone.h"
#include "backbones/facts.h"
#include "backbones/norms.h"
#include "backbones/probed.h"
#include "backbones/recognise.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/sized.h"
#include "hub/catalog.h"
#include "hub/hub.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The side of a square; else 0, which no square has, and both sides. */
static int hash_size(hst_sha256 *h, hst_size s, hst_err *err)
{
    const int32_t sides[] = {0, s.width, s.height};
    return hst_size_is_square(s) ? hst_sha256_add(h, sides + 1, sizeof *sides, err)
                                 : hst_sha256_add(h, sides, sizeof sides, err);
}

/* Over everything that decides the features. Numbers as stored, little endian. */
int hst_backbone_identity_at(const hst_backbone *b, hst_size size, char hex[65], hst_err *err)
{
    const hst_arch *a = &b->arch;
    uint8_t digest[32];
    hst_sha256 *h = hst_sha256_new(err);
    int rc = h ? hst_sha256_adds(h, "headstart backbone 1", err) : HST_EMEM;
    rc = rc ? rc : hst_sha256_adds(h, a->family, err);
    rc = rc ? rc : hash_size(h, size, err);
    rc = rc ? rc : hst_family_find(a->family)->kind->hash(a, h, err);
    rc = rc ? rc : hst_sha256_add(h, &a->norm, sizeof a->norm, err);
    for (size_t i = 0; rc == 0 && i < hst_graph_n_params(b->graph); i++) {
        const hst_param *p = hst_graph_param(b->graph, i);
        rc = hst_sha256_adds(h, p->name, err);
        rc = rc ? rc : hst_sha256_add(h, p->dim, (size_t)p->n_dims * sizeof *p->dim, err);
        rc = rc ? rc : hst_sha256_add(h, p->data, hst_param_count(p) * sizeof *p->data, err);
    }
    rc = rc ? rc : hst_sha256_end(h, digest, err);
    if (rc == 0)
        hst_hex(digest, hex);
    hst_sha256_free(h);
    return rc;
}

int hst_backbone_identity(const hst_backbone *b, char hex[65], hst_err *err)
{
    return hst_backbone_identity_at(b, b->arch.size, hex, err);
}

static void fill_info(hst_backbone *b)
{
    const hst_arch *a = &b->arch;
    const char *scaling = hst_pixel_norm_name(&a->norm);
    const hst_sizing *s = &a->sizing;
    hst_backbone_info *info = &b->info;
    *info = (hst_backbone_info){.size = sizeof *info,
                                .family = a->family,
                                .image_px = hst_size_is_square(a->size) ? a->size.width : 0,
                                .padding = "",
                                .pool = "mean",
                                .n_features = hst_plan_output(b->plan).c,
                                .scaling = scaling ? scaling : "",
                                .source = b->source,
                                .sha256 = b->sha256,
                                .format = b->format,
                                .producer = b->producer,
                                .resize_px = hst_size_is_square(s->resize) ? s->resize.width : 0,
                                .precision = hst_precision_names[b->precision],
                                .geometry = s->known ? hst_geometry_name(s->geometry) : "",
                                .interpolation =
                                    s->known ? hst_interpolation_name(s->interpolation) : "",
                                .image_width_px = a->size.width,
                                .image_height_px = a->size.height,
                                .resize_width_px = s->resize.width,
                                .resize_height_px = s->resize.height,
                                .licence = ""};
    hst_family_find(a->family)->kind->describe(a, info);
    for (size_t i = 0; i < hst_graph_n_params(b->graph); i++) {
        const hst_param *p = hst_graph_param(b->graph, i);
        info->n_params += hst_param_count(p);
        info->n_statistics += p->statistic ? hst_param_count(p) : 0;
    }
    for (int c = 0; c < 3; c++) {
        info->mean[c] = (double)a->norm.mean[c];
        info->std[c] = (double)a->norm.std[c];
    }
}

void hst_backbone_set_licence(hst_backbone *b, const char *known)
{
    b->licence = known ? known : *b->arch.licence ? b->arch.licence : NULL;
    b->info.licence = b->licence ? b->licence : "";
}

/* Where `to` has the weights of b. */
static void pass_licence(const hst_backbone *b, hst_backbone *to)
{
    hst_backbone_set_licence(to, b->licence == b->arch.licence ? NULL : b->licence);
}

/* A backbone of arch around a graph whose parameters are filled; takes the graph, also on failure.
 */
static hst_backbone *assemble(const hst_ctx *ctx, const hst_arch *a, hst_graph *g,
                              enum hst_precision precision, hst_err *err)
{
    hst_plan_options o = hst_plan_defaults();
    o.precision = precision;
    hst_backbone *b = hst_alloc(1, sizeof *b, err);
    if (!b) {
        hst_graph_free(g);
        return NULL;
    }
    b->arch = *a;
    b->graph = g;
    b->precision = precision;
    b->plan = hst_plan_make(g, ctx->kernels, &o, err);
    if (b->plan) {
        fill_info(b);
        return b;
    }
    hst_backbone_free(b);
    return NULL;
}

int hst_backbone_precision(const hst_tensors *model, enum hst_precision *out, hst_err *err)
{
    const char *name = hst_tensors_meta(model, "precision");
    const int known = name ? hst_precision_named(name) : HST_PRECISION_FP32;
    if (known < 0)
        return hst_fail(err, HST_EMODEL, "features in precision '%s', which is not known here",
                        name);
    *out = (enum hst_precision)known;
    return 0;
}

/* A graph of arch a with those weights. */
static hst_graph *read_graph(const hst_arch *a, const hst_tensors *t, const char *prefix,
                             hst_err *err)
{
    hst_graph *g = hst_arch_graph(a, err);
    if (g && hst_params_read(t, prefix, g, err) == 0)
        return g;
    hst_graph_free(g);
    return NULL;
}

hst_backbone *hst_backbone_from_tensors(hst_ctx *ctx, const hst_arch *a, const hst_tensors *t,
                                        const char *prefix, enum hst_precision precision,
                                        hst_err *err)
{
    hst_graph *g = read_graph(a, t, prefix, err);
    hst_backbone *b = g ? assemble(ctx, a, g, precision, err) : NULL;
    if (!b || precision != HST_PRECISION_INT8 ||
        hst_backbone_read_ranges(ctx, b, t, prefix, err) == 0)
        return b;
    hst_backbone_free(b);
    return NULL;
}

hst_backbone *hst_backbone_exported(const hst_ctx *ctx, const hst_arch *a, const hst_tensors *t,
                                    hst_err *err)
{
    hst_origin o;
    const int by_name = hst_probed_has_names(t, a);
    if (!by_name && hst_recognise_as(t, a, &o, err))
        return NULL;
    hst_graph *g = hst_arch_graph(a, err);
    int rc = !g        ? HST_EMEM
             : by_name ? hst_exported_read(t, g, err)
                       : hst_weights_import(t, &o, a, g, err);
    rc = rc || !by_name ? rc : hst_probed_check(ctx, t, NULL, a, err);
    if (rc == 0)
        return assemble(ctx, a, g, HST_PRECISION_FP32, err);
    hst_graph_free(g);
    return NULL;
}

/* y = x, a parameter of a network of arch `from` as one of arch `to` has it, whose input alone may
 * be of another size. */
static int carry(const hst_arch *from, const hst_param *x, const hst_arch *to, const hst_param *y,
                 hst_err *err)
{
    const hst_kind *kind = hst_family_find(from->family)->kind;
    const size_t n = hst_param_count(y);
    if (x->n_dims == y->n_dims && memcmp(x->dim, y->dim, sizeof *x->dim * (size_t)x->n_dims) == 0) {
        memcpy(y->data, x->data, n * sizeof *y->data);
        return 0;
    }
    return kind->carry ? kind->carry(from, x, to, y, err)
                       : hst_fail(err, HST_EMODEL, "'%s' is of another size", y->name);
}

/* A graph of arch a with the weights of g, which is of arch `of` and has the same nodes. */
static hst_graph *graph_with(const hst_arch *a, const hst_graph *g, const hst_arch *of,
                             hst_err *err)
{
    hst_graph *own = hst_arch_graph(a, err);
    for (size_t i = 0; own && i < hst_graph_n_params(own); i++)
        if (carry(of, hst_graph_param(g, i), a, hst_graph_param(own, i), err)) {
            hst_graph_free(own);
            return NULL;
        }
    return own;
}

hst_backbone *hst_backbone_in(const hst_ctx *ctx, const hst_backbone *b,
                              enum hst_precision precision, hst_err *err)
{
    hst_backbone *first = NULL, **at = &first;
    for (; b; b = b->beside, at = &(*at)->beside) {
        hst_graph *g = graph_with(&b->arch, b->graph, &b->arch, err);
        *at = g ? assemble(ctx, &b->arch, g, precision, err) : NULL;
        if (!*at) {
            hst_backbone_free(first);
            return NULL;
        }
        memcpy((*at)->source, b->source, sizeof b->source);
        memcpy((*at)->sha256, b->sha256, sizeof b->sha256);
        (*at)->views = b->views;
        pass_licence(b, *at);
    }
    return first;
}

hst_backbone *hst_backbone_tuned(const hst_ctx *ctx, const hst_backbone *b, hst_graph *g,
                                 hst_err *err)
{
    hst_backbone *t = assemble(ctx, &b->arch, g, b->precision, err);
    if (t) {
        memcpy(t->source, b->source, sizeof t->source);
        memcpy(t->sha256, b->sha256, sizeof t->sha256);
        pass_licence(b, t);
    }
    return t;
}

hst_plan *hst_backbone_plan_at(const hst_ctx *ctx, const hst_backbone *b, const hst_graph *g,
                               hst_size size, hst_err *err)
{
    const hst_plan_options o = hst_plan_defaults();
    return hst_backbone_plan_with(ctx, b, g, size, &o, err);
}

hst_plan *hst_backbone_plan_with(const hst_ctx *ctx, const hst_backbone *b, const hst_graph *g,
                                 hst_size size, const hst_plan_options *o, hst_err *err)
{
    hst_plan_options options = *o;
    hst_arch a = b->arch;
    options.precision = b->precision;
    options.ranges = b->ranges;
    a.size = size;
    if (hst_size_equal(size, b->arch.size))
        return hst_plan_make(g, ctx->kernels, &options, err);
    hst_graph *own = graph_with(&a, g, &b->arch, err);
    if (!own)
        return NULL;
    hst_plan *p = hst_plan_make(own, ctx->kernels, &options, err);
    hst_graph_free(own);
    return p;
}

/* Two made-up pictures, prepared: slopes of colour with blocks and a fine pattern on them, and the
 * negative of that. x[2][height][width][3]. */
static void draw_pictures(const hst_arch *a, float *x)
{
    const size_t w = (size_t)a->size.width, h = (size_t)a->size.height, n = w * h * 3;
    for (size_t i = 0; i < n; i++) {
        size_t c = i % 3, col = i / 3 % w, row = i / 3 / w;
        size_t slope = c == 1 ? row * 128 / h : col * 128 / w;
        size_t blocks = (row / 16 + col / 16 + c) % 2 * 96;
        float pixel = (float)(slope + blocks + (row * 7 + col * 13 + c * 5) % 32);
        x[i] = (pixel - a->norm.mean[c]) / a->norm.std[c];
        x[n + i] = (255 - pixel - a->norm.mean[c]) / a->norm.std[c];
    }
}

/* y[2][n]: the features of two different pictures. */
static int judge_features(const float *y, size_t n, hst_err *err)
{
    int all_equal = 1;
    for (size_t i = 0; i < 2 * n; i++) {
        if (!isfinite(y[i]))
            return hst_fail(err, HST_EMODEL,
                            "the network does not work: on a test picture its "
                            "features are not finite numbers");
        all_equal &= y[i] == y[0];
    }
    if (all_equal)
        return hst_fail(err, HST_EMODEL,
                        "the network does not work: on a test picture all its features are %g",
                        (double)y[0]);
    if (memcmp(y, y + n, n * sizeof *y) == 0)
        return hst_fail(err, HST_EMODEL,
                        "the network does not work: two different pictures have the same features");
    return 0;
}

/* Weights of the right shapes may still be no trained network: all zero, damaged, under a wrong
 * epsilon. */
static int try_out(const hst_backbone *b, hst_err *err)
{
    size_t n = (size_t)hst_plan_output(b->plan).c;
    float *x = hst_alloc(2 * hst_size_pixels(b->arch.size), 3 * sizeof *x, err);
    float *y = x ? hst_alloc(2 * n, sizeof *y, err) : NULL;
    hst_work *w = y ? hst_work_new(b->plan, err) : NULL;
    int rc = w ? 0 : HST_EMEM;
    if (rc == 0) {
        draw_pictures(&b->arch, x);
        hst_plan_run(b->plan, w, x, 2, y);
        rc = judge_features(y, n, err);
    }
    hst_work_free(w);
    free(y);
    free(x);
    return rc;
}

static const hst_sized sized = HST_SIZED(hst_backbone_opts, scaling);

void hst_backbone_opts_init(hst_backbone_opts *o, size_t size)
{
    hst_sized_init(&sized, &(hst_backbone_opts){0}, o, size);
}

/* What the caller says counts more than what a file says. */
static int override(hst_arch *a, const hst_backbone_opts *o, hst_err *err)
{
    hst_size size = hst_size_square(o->image_px);
    if (o->image_width_px || o->image_height_px)
        size = (hst_size){o->image_width_px, o->image_height_px};
    if (size.width || size.height) {
        if (!hst_size_equal(size, a->size))
            a->sizing = (hst_sizing){0}; /* it is of the published size */
        a->size = size;
    }
    const int rc = o->scaling ? hst_pixel_norm_named(o->scaling, &a->norm, err) : 0;
    return rc || !o->pool ? rc : hst_family_find(a->family)->kind->pool(a, o->pool, err);
}

/* Of the features; unless the caller says, `usual`. */
static int precision_of(const hst_backbone_opts *o, enum hst_precision usual,
                        enum hst_precision *out, hst_err *err)
{
    const int known = o->precision ? hst_precision_named(o->precision) : (int)usual;
    if (known < 0)
        return hst_fail(err, HST_EARG, "unknown precision '%s': fp32, bf16 or int8", o->precision);
    *out = (enum hst_precision)known;
    return 0;
}

/* What is wrong with a file that fits nothing is said of the network that it is nearest to. */
static void say_nearest(const hst_origin *o, hst_err *err)
{
    if (o->fits || !err || err->code != HST_EMODEL)
        return;
    hst_err why = *err;
    hst_fail(err, HST_EMODEL, "no network known here; the nearest is %s (%s): %s", o->family->name,
             o->dialect->name, why.msg);
}

/* A backbone from somebody's file, of which t keeps all but the numbers: they, the graph's and the
 * plan's would be three times the network in memory. */
static hst_backbone *import(hst_ctx *ctx, const hst_weight_file *f, hst_tensors *t,
                            const hst_backbone_opts *opts, hst_err *err)
{
    hst_origin o;
    hst_arch a;
    enum hst_precision precision = HST_PRECISION_FP32;
    if (precision_of(opts, HST_PRECISION_FP32, &precision, err) || hst_recognise(t, &o, &a, err))
        return NULL;
    const char *said = f->config ? NULL : hst_tensors_meta(t, "timm_config");
    if (!f->config && !said && o.dialect->needs_config && o.fits) {
        hst_fail(err, HST_EMODEL,
                 "the tensors do not say how this %s network pads: give the folder with its "
                 "config.json",
                 o.dialect->name);
        return NULL;
    }
    if (o.dialect->named && o.dialect->named(f->base, err))
        return NULL;
    a.size = hst_size_of_name(f->base, a.size);
    if ((f->config && hst_config_read(f->config, &o, &a, err)) ||
        (said && hst_config_said(said, &o, &a, err)))
        return NULL;
    if (hst_facts_read(t, &a, err) || hst_probed_check(ctx, t, &o, &a, err) ||
        override(&a, opts, err))
        return NULL;
    /* Shapes count more than what a config says; where none fits, the import names the tensor. */
    if (o.family->kind->fit(t, &o, &a, err) < 0)
        return NULL;
    hst_graph *g = hst_arch_graph(&a, err);
    if (!g || hst_weights_import(t, &o, &a, g, err)) {
        hst_graph_free(g);
        say_nearest(&o, err);
        return NULL;
    }
    hst_tensors_drop_data(t);
    hst_backbone *b = assemble(ctx, &a, g, precision, err);
    if (!b || try_out(b, err) == 0)
        return b;
    hst_backbone_free(b);
    return NULL;
}

int hst_backbone_read_licence(const json_t *source, hst_arch *a, hst_err *err)
{
    const char *licence = "";
    const int rc =
        hst_json_has(source, "licence") ? hst_json_text(source, "licence", &licence, err) : 0;
    hst_printable(a->licence, sizeof a->licence, licence);
    return rc;
}

/* What stands in the model file beside it. */
static int read_source(const hst_tensors *t, hst_arch *a, hst_err *err)
{
    const char *text = hst_tensors_meta(t, "source");
    json_t *o = text ? hst_json_object(text, "source", err) : NULL;
    const int rc = !text ? 0 : o ? hst_backbone_read_licence(o, a, err) : HST_EMODEL;
    json_decref(o);
    return rc;
}

/* The backbone inside a model file of ours. */
static hst_backbone *from_model(hst_ctx *ctx, const hst_tensors *t, const hst_backbone_opts *o,
                                hst_err *err)
{
    hst_arch own, a;
    enum hst_precision precision = HST_PRECISION_FP32;
    const char *arch = hst_tensors_meta(t, "arch");
    if (!arch) {
        hst_fail(err, HST_EMODEL, "the model file does not say its architecture");
        return NULL;
    }
    if (hst_arch_parse(arch, &own, err) || hst_backbone_precision(t, &precision, err) ||
        precision_of(o, precision, &precision, err) || read_source(t, &own, err))
        return NULL;
    a = own;
    hst_graph *g = override(&a, o, err) ? NULL : read_graph(&own, t, "backbone/", err);
    hst_graph *as = g ? graph_with(&a, g, &own, err) : NULL;
    hst_graph_free(g);
    return as ? assemble(ctx, &a, as, precision, err) : NULL;
}

static void set_origin(hst_backbone *b, const char *name, const hst_weight_file *f,
                       const hst_tensors *t)
{
    const hst_catalog_entry *known = hst_hub_known(name);
    const char *format = hst_tensors_meta(t, "source_format");
    const char *producer = hst_tensors_meta(t, "producer");
    snprintf(b->source, sizeof b->source, "%s", f->base);
    snprintf(b->sha256, sizeof b->sha256, "%s", f->sha256);
    snprintf(b->format, sizeof b->format, "%s", format ? format : "safetensors");
    hst_printable(b->producer, sizeof b->producer, producer ? producer : "");
    hst_backbone_set_licence(b, known ? known->licence : hst_catalog_licence(f->sha256));
}

hst_backbone *hst_backbone_of_file(hst_ctx *ctx, const hst_weight_file *f, hst_tensors *t,
                                   const hst_backbone_opts *o, hst_err *err)
{
    hst_backbone *b = import(ctx, f, t, o, err);
    if (b)
        set_origin(b, f->base, f, t);
    return b;
}

hst_backbone *hst_backbone_open(hst_ctx *ctx, const char *name, hst_err *err)
{
    return hst_backbone_open_with(ctx, name, NULL, err);
}

/* One that asks to be passed on is shown wherever the weights are used. */
static void say_licence(const hst_ctx *ctx, const hst_backbone *b)
{
    if (*b->arch.licence)
        hst_log(ctx, HST_LOG_INFO, "the weights of %s are under the %s, which goes with them",
                b->source, b->arch.licence);
}

static hst_backbone *open_one(hst_ctx *ctx, const char *name, const hst_backbone_opts *opts,
                              hst_err *err)
{
    enum { TRIES = 3 };
    hst_weight_file found = {0};
    hst_backbone *b = NULL;
    hst_tensors *t = NULL;
    for (int i = 0; !t && i < TRIES; i++) {
        hst_weight_file_clear(&found);
        if (hst_hub_find(ctx, name, &found, err))
            return NULL;
        t = found.tensors ? found.tensors : hst_tensors_read(found.path, err);
        if (hst_is_file(found.path)) /* else it has vanished since: it is looked for again */
            break;
    }
    found.tensors = NULL;
    const char *format = t ? hst_tensors_meta(t, "format") : NULL;
    if (t)
        b = format && strcmp(format, "headstart") == 0 ? from_model(ctx, t, opts, err)
                                                       : import(ctx, &found, t, opts, err);
    if (b) {
        set_origin(b, name, &found, t);
        say_licence(ctx, b);
    } else if (t) {
        (void)hst_err_at(err, name);
    }
    hst_tensors_free(t);
    hst_weight_file_clear(&found);
    return b;
}

/* "a+b": each of the names, in its order, as a chain. names is cut up. */
static hst_backbone *open_several(hst_ctx *ctx, char *names, const hst_backbone_opts *o,
                                  hst_err *err)
{
    hst_backbone *first = NULL, **at = &first;
    int n = 0;
    for (char *name = names, *next; name; name = next, n++) {
        next = strchr(name, '+');
        if (next)
            *next++ = 0;
        if (n == HST_MAX_BESIDE)
            hst_fail(err, HST_EARG, "more than %d backbones side by side", HST_MAX_BESIDE);
        else if (*name)
            *at = open_one(ctx, name, o, err);
        else
            hst_fail(err, HST_EARG, "a name is missing beside a '+'");
        if (n == HST_MAX_BESIDE || !*at) {
            hst_backbone_free(first);
            return NULL;
        }
        at = &(*at)->beside;
    }
    return first;
}

hst_backbone *hst_backbone_open_with(hst_ctx *ctx, const char *name, const hst_backbone_opts *opts,
                                     hst_err *err)
{
    hst_backbone_opts o = {0};
    hst_views views = {0};
    if (hst_sized_read(&sized, &o, opts, err) || (o.views && hst_views_parse(o.views, &views, err)))
        return NULL;
    const int several = strchr(name, '+') && access(name, F_OK) != 0;
    if (several && o.scaling) {
        hst_fail(err, HST_EARG, "a scaling is of one backbone, not of several side by side");
        return NULL;
    }
    char *names = several ? hst_strdup(name, err) : NULL;
    if (several && !names)
        return NULL;
    hst_backbone *b = several ? open_several(ctx, names, &o, err) : open_one(ctx, name, &o, err);
    free(names);
    for (hst_backbone *each = b; each; each = each->beside)
        each->views = views;
    return b;
}

void hst_backbone_free(hst_backbone *b)
{
    while (b) {
        hst_backbone *next = b->beside;
        hst_plan_free(b->plan);
        hst_graph_free(b->graph);
        free(b->ranges);
        free(b);
        b = next;
    }
}

const hst_backbone *hst_backbone_beside(const hst_backbone *b)
{
    return b->beside;
}

const hst_backbone_info *hst_backbone_describe(const hst_backbone *b)
{
    return &b->info;
}
