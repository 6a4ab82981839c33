#include "weights.h"

#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TENSORS = 100000, MAX_FACT = 4096 };

struct kept {
    struct kept *next;
    void *thing;
    void (*end)(void *);
};

int weights_begin(weights *w, hst_err *err)
{
    *w = (weights){.arena = hst_arena_new(err)};
    return w->arena ? 0 : HST_EMEM;
}

void weights_end(weights *w)
{
    for (struct kept *k = w->kept, *next; k; k = next) {
        next = k->next;
        k->end(k->thing);
        free(k);
    }
    free(w->t);
    hst_arena_free(w->arena);
    *w = (weights){0};
}

int weights_keep(weights *w, void *thing, void (*end)(void *), hst_err *err)
{
    struct kept *k = hst_alloc(1, sizeof *k, err);
    if (!k) {
        end(thing);
        return HST_EMEM;
    }
    *k = (struct kept){w->kept, thing, end};
    w->kept = k;
    return 0;
}

/* Whether the shape and type say n_bytes. */
static int sizes_agree(const hst_tensor *t)
{
    size_t bytes = hst_dtype_bytes(t->dtype);
    for (int i = 0; i < t->n_dims; i++)
        if (t->dim[i] < 0 || !hst_mul_ok(bytes, (size_t)t->dim[i], &bytes))
            return 0;
    return bytes == t->n_bytes;
}

int weights_add(weights *w, const hst_tensor *t, hst_err *err)
{
    if (t->n_dims < 0 || t->n_dims > 8 || t->dtype == HST_OTHER || !sizes_agree(t))
        return hst_fail(err, HST_EMODEL, "tensor '%.200s': its shape does not match its data",
                        t->name);
    if (w->n == MAX_TENSORS)
        return hst_fail(err, HST_EMODEL, "more than %d tensors", MAX_TENSORS);
    if (w->n == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 256;
        hst_tensor *more = hst_resize(w->t, cap, sizeof *more, err);
        if (!more)
            return HST_EMEM;
        w->t = more;
        w->cap = cap;
    }
    char *name = hst_arena_strdup(w->arena, t->name, err);
    if (!name)
        return HST_EMEM;
    w->t[w->n] = *t;
    w->t[w->n++].name = name;
    return 0;
}

int weights_said(const weights *w, const char *key)
{
    for (size_t i = 0; i < w->n_facts; i++)
        if (strcmp(w->fact[i].key, key) == 0)
            return 1;
    return 0;
}

int weights_say_text(weights *w, const char *key, const char *text, hst_err *err)
{
    if (weights_said(w, key))
        return 0;
    if (w->n_facts == WEIGHTS_MAX_FACTS)
        return hst_fail(err, HST_EMODEL, "more than %d facts", WEIGHTS_MAX_FACTS);
    char *value = hst_arena_strdup(w->arena, text, err);
    if (!value)
        return HST_EMEM;
    w->fact[w->n_facts++] = (hst_meta_pair){key, value};
    return 0;
}

int weights_say(weights *w, hst_err *err, const char *key, const char *fmt, ...)
{
    char text[MAX_FACT], clean[MAX_FACT];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    hst_printable(clean, sizeof clean, text);
    return weights_say_text(w, key, clean, err);
}

int weights_say_json(weights *w, const char *key, const json_t *v, hst_err *err)
{
    char *text = hst_json_write(v, JSON_COMPACT | JSON_ENCODE_ANY, err);
    int rc = text ? weights_say_text(w, key, text, err) : err->code;
    free(text);
    return rc;
}

int weights_add_to_step(weights *w, json_t *step, const char *front, const char *key,
                        const hst_tensor *t, hst_err *err)
{
    char name[64];
    hst_tensor copy = *t;
    snprintf(name, sizeof name, "%s/%s", front, key);
    copy.name = name;
    if (json_object_set_new(step, key, json_string(name)))
        return hst_fail(err, HST_EMEM, "out of memory");
    return weights_add(w, &copy, err);
}

int weights_say_teachable(weights *w, hst_err *err)
{
    int rc = weights_say(w, err, "producer", "Teachable Machine");
    rc = rc ? rc : weights_say(w, err, "scaling", "pm1");
    return rc ? rc : weights_say(w, err, "preparation", "pil,crop");
}

int weights_say_model(weights *w, const char *json, size_t n, hst_err *err)
{
    static const char *const keys[] = {"exported", "arch",   "prepare", "labels",
                                       "source",   "record", "target",  "head"};
    json_t *o = hst_json_parse(json, n, "the exported model's description", err);
    int rc = o ? 0 : err ? err->code : HST_EMODEL;
    for (size_t i = 0; rc == 0 && i < sizeof keys / sizeof *keys; i++) {
        const char *text = json_string_value(json_object_get(o, keys[i]));
        for (size_t k = 0; text && k < w->n_facts; k++) /* it counts more than what lies beside */
            if (strcmp(w->fact[k].key, keys[i]) == 0)
                w->fact[k--] = w->fact[--w->n_facts];
        if (text)
            rc = weights_say_text(w, keys[i], text, err);
    }
    json_decref(o);
    return rc;
}

int weights_say_size(weights *w, long long width, long long height, hst_err *err)
{
    if (weights_said(w, "image_px") || weights_said(w, "image_width_px"))
        return 0;
    if (width == height)
        return weights_say(w, err, "image_px", "%lld", width);
    int rc = weights_say(w, err, "image_width_px", "%lld", width);
    return rc ? rc : weights_say(w, err, "image_height_px", "%lld", height);
}

static int by_size_and_name(const void *a, const void *b)
{
    const hst_tensor *x = a, *y = b;
    size_t sx = hst_dtype_bytes(x->dtype), sy = hst_dtype_bytes(y->dtype);
    return sx != sy ? (sx < sy ? 1 : -1) : strcmp(x->name, y->name);
}

/* Every tensor then lies aligned for its type. */
void weights_sort(weights *w)
{
    if (w->n)
        qsort(w->t, w->n, sizeof *w->t, by_size_and_name);
}
