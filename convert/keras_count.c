/* keras_count.c - the numbers of layers that nobody gave a name.
 *
 * Keras calls them by their class and by how many of it there were in the session: conv2d,
 * conv2d_1 ..., and a network that is made behind another goes on from there; before TensorFlow 2
 * it counted from conv2d_1 on. */
#include "keras.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DIGITS = 6 };

static const char *const classes[] = {"batch_normalization", "conv2d", "depthwise_conv2d",
                                      "separable_conv2d"};

/* "x/conv2d_3/kernel": the place of "conv2d", and 3. */
typedef struct counted {
    size_t at, end; /* of the layer's name */
    long number;
} counted;

/* 1 where the tensor is of a layer that is only counted as one of that class. */
static int is_counted(const char *tensor, const char *class, counted *c)
{
    const char *end = strrchr(tensor, '/'), *layer = end;
    const size_t n = strlen(class);
    while (layer && layer > tensor && layer[-1] != '/')
        layer--;
    if (!layer || (size_t)(end - layer) < n || memcmp(layer, class, n) != 0)
        return 0;
    *c = (counted){.at = (size_t)(layer - tensor), .end = (size_t)(end - tensor)};
    if (layer + n == end)
        return 1;
    const char *digits = layer + n + 1;
    const size_t n_digits = (size_t)(end - layer) - n - 1;
    if (layer[n] != '_' || n_digits < 1 || n_digits > MOST_DIGITS || *digits == '0' ||
        strspn(digits, "0123456789") != n_digits)
        return 0;
    c->number = strtol(digits, NULL, 10);
    return 1;
}

static int rename_layer(weights *w, hst_tensor *t, const char *class, const counted *c, long number,
                        hst_err *err)
{
    char layer[64];
    const size_t n = strlen(t->name) + sizeof layer;
    char *name = hst_arena_alloc(w->arena, n, 1, err);
    if (!name)
        return err->code;
    snprintf(layer, sizeof layer, number ? "%s_%ld" : "%s", class, number);
    snprintf(name, n, "%.*s%s%s", (int)c->at, t->name, layer, t->name + c->end);
    t->name = name;
    return 0;
}

int keras_count_from_none(weights *w, hst_err *err)
{
    int rc = 0;
    for (size_t k = 0; k < sizeof classes / sizeof *classes; k++) {
        counted c;
        long first = -1;
        for (size_t i = 0; i < w->n; i++)
            if (is_counted(w->t[i].name, classes[k], &c) && (first < 0 || c.number < first))
                first = c.number;
        for (size_t i = 0; rc == 0 && first > 0 && i < w->n; i++)
            if (is_counted(w->t[i].name, classes[k], &c))
                rc = rename_layer(w, &w->t[i], classes[k], &c, c.number - first, err);
    }
    return rc;
}
