/* config.c - what a network's config.json and preprocessor_config.json say. */
#include "backbones/config.h"
#include "backbones/cnn.h"
#include "backbones/norms.h"
#include "backbones/recognise.h"
#include "base/file.h"
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_MAX_BYTES = 1 << 20 };

static json_t *read_object(const char *path, hst_err *err)
{
    uint8_t *text = NULL;
    size_t n;
    json_t *o = NULL;
    if (hst_file_read(path, CONFIG_MAX_BYTES, HST_EMODEL, &text, &n, err) == 0)
        o = hst_json_object((const char *)text, hst_path_base(path), err);
    else
        (void)hst_err_at(err, path);
    free(text);
    return o;
}

/* 1: true, absent or null. */
static int flag(const json_t *o, const char *key, int absent)
{
    const json_t *v = json_object_get(o, key);
    return json_is_boolean(v) ? json_is_true(v) : absent;
}

/* The normalisation of a Hugging Face image processor on pixels in 0..255:
 * (pixel * factor - offset - mean) / std = (pixel - (mean + offset) / factor) / (std / factor).
 * EfficientNet's divides by std once more where it says "include_top". */
static int processor_norm(const json_t *o, hst_pixel_norm *out, hst_err *err)
{
    double factor = 1.0 / 255, mean[3] = {0, 0, 0}, std[3] = {1, 1, 1};
    int rc = 0;
    if (hst_json_has(o, "rescale_factor"))
        rc = hst_json_real(o, "rescale_factor", 1e-6, 1e3, &factor, err);
    if (!flag(o, "do_rescale", 1))
        factor = 1;
    if (rc == 0 && flag(o, "do_normalize", 1)) {
        rc = hst_json_reals3(o, "image_mean", -1e4, 1e4, mean, err);
        rc = rc ? rc : hst_json_reals3(o, "image_std", 1e-6, 1e4, std, err);
    }
    const int offset = flag(o, "rescale_offset", 0), twice = flag(o, "include_top", 0);
    for (int c = 0; rc == 0 && c < 3; c++) {
        out->mean[c] = (float)((mean[c] + offset) / factor);
        out->std[c] = (float)(std[c] * (twice ? std[c] : 1) / factor);
    }
    return rc;
}

/* ---- sizing ---- */

/* 1 and the interpolation, by its number in Pillow or its name in timm; 0: none that we have. */
static int read_interpolation(const json_t *v, enum hst_interpolation *out)
{
    const char *name = json_string_value(v);
    const json_int_t number = json_integer_value(v);
    *out = number == 3 || (name && strcmp(name, "bicubic") == 0) ? HST_BICUBIC : HST_BILINEAR;
    return *out == HST_BICUBIC || number == 2 || (name && strcmp(name, "bilinear") == 0);
}

/* {"height": h, "width": w}, [h, w] or the side of a square; zeros: neither. */
static hst_size size_of(const json_t *v)
{
    const int is_list = json_is_array(v) && json_array_size(v) == 2;
    const json_t *h = json_is_object(v) ? json_object_get(v, "height")
                      : is_list         ? json_array_get(v, 0)
                                        : v;
    const json_t *w = json_is_object(v) ? json_object_get(v, "width")
                      : is_list         ? json_array_get(v, 1)
                                        : v;
    const json_int_t height = json_integer_value(h), width = json_integer_value(w);
    if (height < 1 || height > 4096 || width < 1 || width > 4096)
        return (hst_size){0, 0};
    return (hst_size){(int)width, (int)height};
}

/* The photo made to cover `resize`, then the middle of size. */
static void crop(hst_sizing *s, enum hst_geometry g, hst_size resize, hst_size size)
{
    if (resize.width < size.width || resize.height < size.height ||
        !hst_size_within(resize, 1, 4096))
        return;
    *s = (hst_sizing){1, g, resize, s->interpolation};
}

/* What a Hugging Face image processor makes, where the network can have it: tokens, whole patches.
 * Squares of convolutions are those that the network itself says. */
static void processor_size(const json_t *o, const hst_kind *kind, hst_arch *a)
{
    const char *key = flag(o, "do_center_crop", 0) ? "crop_size" : "size";
    hst_arch as = *a;
    as.size = size_of(json_object_get(o, key));
    const int says = kind == &hst_cnn ? !hst_size_is_square(as.size) : !kind->check(&as, NULL);
    if (flag(o, "do_resize", 1) && says && hst_size_within(as.size, HST_LEAST_PX, HST_MOST_PX))
        a->size = as.size;
}

/* Of a Hugging Face image processor: the shorter edge, and the middle of it; or all of it.
 * ConvNext's, which ResNets have, names what is cut out and crop_pct, its part of the edge, below
 * 384 pixels. What it says in another way is not known. */
static void processor_sizing(const json_t *o, hst_size want, hst_sizing *s)
{
    const json_t *size = json_object_get(o, "size"), *edge = json_object_get(size, "shortest_edge");
    const json_t *pct = json_object_get(o, "crop_pct");
    const int n = (int)json_integer_value(json_is_integer(size) ? size : edge);
    const int is_cut = flag(o, "do_center_crop", 0);
    enum { LEAST_WHOLE = 384 };
    if (!flag(o, "do_resize", 1) ||
        !read_interpolation(json_object_get(o, "resample"), &s->interpolation))
        return;
    if (json_is_number(pct) && hst_size_equal(hst_size_square(n), want) && n < LEAST_WHOLE &&
        json_number_value(pct) > 0.1)
        crop(s, HST_CROP_HF, hst_size_square((int)(n / json_number_value(pct))), want);
    else if (is_cut && hst_size_equal(size_of(json_object_get(o, "crop_size")), want) && n)
        crop(s, HST_CROP_HF, hst_size_square(n), want);
    else if (!is_cut && json_is_object(size) && hst_size_equal(size_of(size), want))
        s->known = 1; /* geometry: HST_SQUASH */
}

void hst_config_timm_sizing(const json_t *o, hst_size size, hst_sizing *s)
{
    const json_t *pct = json_object_get(o, "crop_pct");
    const char *mode = json_string_value(json_object_get(o, "crop_mode"));
    const double part = json_number_value(pct);
    if (!read_interpolation(json_object_get(o, "interpolation"), &s->interpolation) ||
        !json_is_number(pct) || !(part > 0.1))
        return;
    if (mode && strcmp(mode, "squash") == 0)
        s->known = part >= 1;
    else if (!mode || strcmp(mode, "center") == 0)
        crop(s, HST_CROP_TORCHVISION,
             (hst_size){(int)floor(size.width / part), (int)floor(size.height / part)}, size);
}

/* ---- the files ---- */

static int read_processor(const char *config_path, const hst_kind *kind, hst_arch *a, hst_err *err)
{
    size_t n = (size_t)(hst_path_base(config_path) - config_path);
    char *dir = strndup(config_path, n ? n : 0);
    char *path = dir ? hst_path_join(n ? dir : ".", "preprocessor_config.json", err) : NULL;
    int rc = path ? 0 : hst_fail(err, HST_EMEM, "out of memory");
    if (rc == 0 && hst_is_file(path)) {
        json_t *o = read_object(path, err);
        rc = o ? processor_norm(o, &a->norm, err) : HST_EMODEL;
        if (rc == 0) {
            processor_size(o, kind, a);
            processor_sizing(o, a->size, &a->sizing);
        }
        if (o && rc)
            (void)hst_err_at(err, "preprocessor_config.json");
        json_decref(o);
    }
    free(path);
    free(dir);
    return rc;
}

int hst_config_read(const char *path, const hst_origin *o, hst_arch *a, hst_err *err)
{
    if (!o->dialect->config)
        return 0;
    json_t *root = read_object(path, err);
    if (!root)
        return HST_EMODEL;
    int rc = o->dialect->config(root, a, err);
    if (rc)
        (void)hst_err_at(err, "config.json");
    json_decref(root);
    return rc ? rc : read_processor(path, o->family->kind, a, err);
}

int hst_config_said(const char *text, const hst_origin *o, hst_arch *a, hst_err *err)
{
    json_t *root = hst_json_object(text, "its configuration", err);
    if (!root)
        return HST_EMODEL;
    const json_t *cfg = hst_config_timm_cfg(root);
    int rc = 0;
    if (o->dialect->config || o->family->kind == &hst_cnn) {
        rc = (o->dialect->config ? o->dialect->config : hst_timm_config)(root, a, err);
    } else {
        rc = hst_config_timm_pretrained(cfg, a, err);
        hst_config_timm_sizing(cfg, a->size, &a->sizing);
    }
    json_decref(root);
    return rc;
}

int hst_config_must_be(const json_t *o, const char *key, double want, hst_err *err)
{
    double x = 0;
    if (!hst_json_has(o, key))
        return 0;
    int rc = hst_json_real(o, key, -1e9, 1e9, &x, err);
    if (rc == 0 && x != want)
        rc = hst_fail(err, HST_EMODEL, "\"%s\" is %g; only networks with %g are supported", key, x,
                      want);
    return rc;
}

int hst_config_must_say(const json_t *o, const char *key, const char *want, hst_err *err)
{
    const char *text = NULL;
    if (!hst_json_has(o, key))
        return 0;
    int rc = hst_json_text(o, key, &text, err);
    if (rc == 0 && strcmp(text, want) != 0)
        rc = hst_fail(err, HST_EMODEL, "\"%s\" is '%s'; only '%s' is supported", key, text, want);
    return rc;
}

int hst_config_image_size(const json_t *o, hst_size *size, hst_err *err)
{
    const json_t *v = json_object_get(o, "image_size");
    const hst_size s = size_of(v);
    if (json_is_array(v) && !hst_size_within(s, HST_LEAST_PX, HST_MOST_PX))
        return hst_fail(err, HST_EMODEL,
                        "\"image_size\" is a list, expected height and width, %d to %d",
                        HST_LEAST_PX, HST_MOST_PX);
    if (json_is_array(v))
        *size = s;
    if (json_is_array(v) || !hst_json_has(o, "image_size"))
        return 0;
    int side, rc = hst_json_int(o, "image_size", HST_LEAST_PX, HST_MOST_PX, &side, err);
    if (rc == 0)
        *size = hst_size_square(side);
    return rc;
}

int hst_huggingface_config(const json_t *o, hst_arch *a, hst_err *err)
{
    int rc = hst_config_must_say(o, "model_type", a->family, err);
    rc = rc ? rc : hst_config_must_say(o, "hidden_act", "relu6", err);
    rc = rc ? rc : hst_config_must_be(o, "output_stride", 32, err);
    rc = rc ? rc : hst_config_image_size(o, &a->size, err);
    if (rc == 0 && hst_json_has(o, "layer_norm_eps"))
        rc = hst_json_real(o, "layer_norm_eps", 1e-12, 1, &a->cnn.bn_epsilon, err);
    if (rc == 0 && hst_json_has(o, "depth_multiplier"))
        rc = hst_json_real(o, "depth_multiplier", 0.1, 4, &a->cnn.width, err);
    if (rc == 0)
        a->cnn.padding = flag(o, "tf_padding", 1) ? HST_PAD_TF : HST_PAD_SYMMETRIC;
    return rc;
}

/* Blocks with stride 2 pad both sides where "depthwise_padding" lists them, the others behind only.
 * Of the network's own size that is TensorFlow's way: both sides where the input is odd. */
static int depthwise_padding(const json_t *o, const hst_arch *a, hst_err *err)
{
    const json_t *list = json_object_get(o, "depthwise_padding"), *v;
    hst_layers l;
    size_t k;
    int rc = hst_cnn_layers(a, &l, err), side = (a->size.height + 1) / 2;
    for (int i = 0; rc == 0 && i < l.n; i++) {
        int both = 0;
        if (l.layer[i].role != HST_DEPTHWISE || l.layer[i].stride == 1)
            continue;
        json_array_foreach(list, k, v) both |=
            json_integer_value(v) == l.layer[i].block && json_is_integer(v);
        if (both != side % 2)
            rc = hst_fail(err, HST_EMODEL,
                          "\"depthwise_padding\" %s block %d, whose input is %d pixels high; only "
                          "networks that pad as TensorFlow does are supported",
                          both ? "lists" : "does not list", l.layer[i].block, side);
        side = (side + 1) / 2;
    }
    hst_layers_free(&l);
    return rc;
}

int hst_huggingface_efficientnet_config(const json_t *o, hst_arch *a, hst_err *err)
{
    int rc = hst_config_must_say(o, "model_type", "efficientnet", err);
    rc = rc ? rc : hst_config_must_say(o, "hidden_act", "swish", err);
    rc = rc ? rc : hst_config_must_be(o, "width_coefficient", a->cnn.width, err);
    rc = rc ? rc : hst_config_must_be(o, "squeeze_expansion_ratio", 0.25, err);
    rc = rc ? rc : hst_config_image_size(o, &a->size, err);
    rc = rc ? rc : depthwise_padding(o, a, err);
    if (rc == 0 && hst_json_has(o, "batch_norm_eps"))
        rc = hst_json_real(o, "batch_norm_eps", 1e-12, 1, &a->cnn.bn_epsilon, err);
    return rc;
}

int hst_huggingface_convnext_config(const json_t *o, hst_arch *a, hst_err *err)
{
    int rc =
        hst_config_must_say(o, "model_type", *a->licence ? "dinov3_convnext" : "convnext", err);
    rc = rc ? rc : hst_config_must_say(o, "hidden_act", "gelu", err);
    return rc ? rc : hst_config_image_size(o, &a->size, err);
}

int hst_config_timm_pretrained(const json_t *o, hst_arch *a, hst_err *err)
{
    double mean[3] = {0}, std[3] = {0}, size[3] = {0};
    int rc = 0;
    if (hst_json_has(o, "mean") || hst_json_has(o, "std")) {
        rc = hst_json_reals3(o, "mean", -1e3, 1e3, mean, err);
        rc = rc ? rc : hst_json_reals3(o, "std", 1e-6, 1e3, std, err);
        for (int c = 0; rc == 0 && c < 3; c++) {
            a->norm.mean[c] = (float)(mean[c] * 255);
            a->norm.std[c] = (float)(std[c] * 255);
        }
    }
    if (rc || !hst_json_has(o, "input_size"))
        return rc;
    rc = hst_json_reals3(o, "input_size", 3, 1024, size, err);
    if (rc == 0 && (size[0] != 3 || size[1] != (int)size[1] || size[2] != (int)size[2]))
        rc = hst_fail(err, HST_EMODEL,
                      "\"input_size\" is %g x %g x %g, expected 3 channels, height and width",
                      size[0], size[1], size[2]);
    if (rc == 0)
        a->size = (hst_size){.width = (int)size[2], .height = (int)size[1]};
    return rc;
}

void hst_config_timm_licence(const json_t *o, hst_arch *a)
{
    const char *said = json_string_value(json_object_get(o, "license"));
    if (said && strncmp(said, "dinov3", 6) == 0)
        snprintf(a->licence, sizeof a->licence, "%s", HST_LICENCE_DINOV3);
    else if (said && *a->licence)
        hst_printable(a->licence, sizeof a->licence, said);
}

const json_t *hst_config_timm_cfg(const json_t *o)
{
    const json_t *p = json_object_get(o, "pretrained_cfg");
    return json_is_object(p) ? p : o;
}

int hst_timm_config(const json_t *o, hst_arch *a, hst_err *err)
{
    const char *name = NULL;
    int rc = hst_json_text(o, "architecture", &name, err);
    if (rc)
        return rc;
    int tf = strncmp(name, "tf_", 3) == 0; /* trained with TensorFlow: its padding and epsilon */
    a->cnn.padding = tf ? HST_PAD_TF : HST_PAD_SYMMETRIC;
    a->cnn.bn_epsilon = tf ? 1e-3 : 1e-5;
    const json_t *p = hst_config_timm_cfg(o), *args = json_object_get(o, "model_args");
    const char *pad = json_string_value(json_object_get(args, "pad_type"));
    if (pad)
        a->cnn.padding = strcmp(pad, "same") == 0 ? HST_PAD_TF : HST_PAD_SYMMETRIC;
    if (hst_json_has(args, "bn_eps"))
        rc = hst_json_real(args, "bn_eps", 1e-12, 1, &a->cnn.bn_epsilon, err);
    rc = rc ? rc : hst_config_timm_pretrained(p, a, err);
    if (rc == 0)
        hst_config_timm_sizing(p, a->size, &a->sizing);
    return rc;
}
