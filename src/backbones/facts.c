/* facts.c - what a converted file says of itself, as metadata. */
#include "backbones/facts.h"
#include "backbones/family.h"
#include "backbones/norms.h"
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* {"key": value}, the numbers of a list apart by spaces; parsed as JSON, so that no locale has a
 * part in it. NULL: there is no such fact. */
static int parse_fact(const hst_tensors *t, const char *key, int list, json_t **o, hst_err *err)
{
    char text[256];
    const char *value = hst_tensors_meta(t, key);
    *o = NULL;
    if (!value)
        return 0;
    int n = snprintf(text, sizeof text, list ? "{\"%s\":[%s]}" : "{\"%s\":%s}", key, value);
    if (n < 0 || (size_t)n >= sizeof text)
        return hst_fail(err, HST_EMODEL, "the fact '%s' is too long", key);
    for (char *p = text; list && *p; p++)
        if (*p == ' ')
            *p = ',';
    *o = hst_json_object(text, key, err);
    return *o ? 0 : HST_EMODEL;
}

int hst_fact_real(const hst_tensors *t, const char *key, double low, double high, double *out,
                  hst_err *err)
{
    json_t *o;
    int rc = parse_fact(t, key, 0, &o, err);
    if (o)
        rc = hst_json_real(o, key, low, high, out, err);
    json_decref(o);
    return rc;
}

/* Absent: *size stays. */
static int read_size(const hst_tensors *t, hst_size *size, hst_err *err)
{
    static const char *const key[] = {"image_px", "image_width_px", "image_height_px"};
    json_t *all = json_object(), *o;
    int rc = all ? 0 : hst_fail(err, HST_EMEM, "out of memory");
    for (size_t i = 0; rc == 0 && i < sizeof key / sizeof *key; i++) {
        rc = parse_fact(t, key[i], 0, &o, err);
        if (rc == 0 && o && json_object_update(all, o))
            rc = hst_fail(err, HST_EMEM, "out of memory");
        json_decref(o);
    }
    if (rc == 0 && json_object_size(all))
        rc = hst_size_read(all, "image", HST_LEAST_PX, HST_MOST_PX, size, err);
    json_decref(all);
    return rc;
}

static int read_reals3(const hst_tensors *t, const char *key, double low, float out[3],
                       hst_err *err)
{
    json_t *o;
    double x[3] = {0};
    int rc = parse_fact(t, key, 1, &o, err);
    if (o)
        rc = hst_json_reals3(o, key, low, 1e4, x, err);
    for (int c = 0; o && rc == 0 && c < 3; c++)
        out[c] = (float)x[c];
    json_decref(o);
    return rc;
}

static int read_norm(const hst_tensors *t, hst_pixel_norm *n, hst_err *err)
{
    const char *name = hst_tensors_meta(t, "scaling");
    hst_pixel_norm own = {{0, 0, 0}, {1, 1, 1}};
    if (name && hst_pixel_norm_named(name, n, err))
        return HST_EMODEL;
    if (!hst_tensors_meta(t, "mean") && !hst_tensors_meta(t, "std"))
        return 0;
    int rc = read_reals3(t, "mean", -1e4, own.mean, err);
    rc = rc ? rc : read_reals3(t, "std", 1e-4, own.std, err);
    if (rc == 0)
        *n = own;
    return rc;
}

int hst_facts_read(const hst_tensors *t, hst_arch *a, hst_err *err)
{
    int rc = read_size(t, &a->size, err);
    rc = rc ? rc : read_norm(t, &a->norm, err);
    rc = rc ? rc : hst_birder_read(t, a, err);
    return rc ? rc : hst_family_find(a->family)->kind->facts(t, a, err);
}

int hst_facts_say_norm(const hst_tensors *t)
{
    return hst_tensors_meta(t, "scaling") || hst_tensors_meta(t, "mean");
}

/* A width, then a size: "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96_no_top.h5", and
 * "mobilenet_2_5_128_tf_no_top.h5", whose width is 0.25. */
hst_size hst_size_of_name(const char *name, hst_size otherwise)
{
    for (const char *p = strpbrk(name, "_-"); p; p = strpbrk(p + 1, "_-")) {
        size_t whole = strspn(p + 1, "0123456789"), part;
        if (whole != 1 || !(p[2] == '.' || p[2] == '_'))
            continue;
        part = strspn(p + 3, "0123456789");
        const char *size = p + 3 + part;
        size_t digits = strspn(size + (*size != 0), "0123456789");
        int is = part && *size && strchr("_-", *size) && digits >= 2 && digits <= 4;
        if (is && p[2] == '_')
            is = strncmp(size + 1 + digits, "_tf", 3) == 0;
        int px = is ? (int)strtol(size + 1, NULL, 10) : 0;
        if (px >= HST_LEAST_PX && px <= HST_MOST_PX)
            return hst_size_square(px);
    }
    return otherwise;
}
