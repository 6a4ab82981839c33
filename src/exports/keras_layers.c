/* keras_layers.c - layers and their variables, as Keras 3 serialises them
 * (keras/src/saving/serialization_lib.py, saving_lib.py). */
#include "exports/keras.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* BatchNormalization -> batch_normalization, as keras.src.utils.naming.to_snake_case. */
static void snake_case(const char *class, char out[HST_H5_NAME])
{
    size_t n = 0;
    for (size_t i = 0; class[i] && n + 2 < HST_H5_NAME; i++) {
        const unsigned char c = (unsigned char)class[i];
        if (i && isupper(c) &&
            (islower((unsigned char)class[i + 1]) || islower((unsigned char)class[i - 1])))
            out[n++] = '_';
        out[n++] = (char)tolower(c);
    }
    out[n] = 0;
}

/* How often the key was asked for before. */
static int count(json_t *in, const char *key)
{
    const int n = (int)json_integer_value(json_object_get(in, key));
    return json_object_set_new(in, key, json_integer(n + 1)) ? HST_EMEM : n;
}

/* name, or name_1, ... where it is taken. */
static int unique(hst_keras *k, const char *name, char out[HST_KERAS_NAME])
{
    const int n = count(k->names, name);
    if (n <= 0) {
        snprintf(out, HST_KERAS_NAME, "%s", name);
        return n;
    }
    char other[HST_KERAS_NAME];
    snprintf(other, sizeof other, "%.60s_%d", name, n);
    return unique(k, other, out);
}

/* The same without slashes, which Keras does not allow in names. */
static int name_layer(hst_keras *k, const char *name, char out[HST_KERAS_NAME])
{
    char clean[HST_KERAS_NAME];
    snprintf(clean, sizeof clean, "%s", name);
    for (char *c = clean; *c; c++)
        *c = *c == '/' ? '_' : *c;
    return unique(k, clean, out);
}

/* A tensor, as an argument of the call of a layer. */
static json_t *tensor(const hst_keras *k, int x)
{
    const hst_keras_value *v = &k->value[x];
    const int batch = k->x->ends.batch;
    json_t *shape = json_pack("[o]", batch ? json_integer(batch) : json_null());
    for (int i = 0; i < v->rank; i++)
        if (json_array_append_new(shape, json_integer(v->dim[i]))) {
            json_decref(shape);
            return NULL;
        }
    return json_pack("{s:s, s:{s:o, s:s, s:[sii]}}", "class_name", "__keras_tensor__", "config",
                     "shape", shape, "dtype", x == 0 && k->x->ends.uint8 ? "uint8" : "float32",
                     "keras_history", v->layer, 0, 0);
}

/* How the layer is called: [{args, kwargs}]; of the input [] . */
static json_t *calls(const hst_keras *k, const hst_keras_layer *l)
{
    json_t *list = json_array();
    for (int i = 0; i < l->n_inputs; i++)
        if (json_array_append_new(list, tensor(k, l->input[i]))) {
            json_decref(list);
            return NULL;
        }
    if (l->n_inputs == 0)
        return list;
    return json_pack(l->n_inputs == 1 || l->each ? "[{s:o, s:{}}]" : "[{s:[o], s:{}}]", "args",
                     list, "kwargs");
}

static int add_value(hst_keras *k, const hst_keras_layer *l, const char *name)
{
    if (hst_make_room((void **)&k->value, k->n, &k->cap, sizeof *k->value, k->err))
        return HST_EMEM;
    hst_keras_value *v = &k->value[k->n];
    *v = (hst_keras_value){.rank = l->rank, .n_inputs = l->n_inputs, .group = -1};
    memcpy(v->dim, l->dim, sizeof v->dim);
    memcpy(v->input, l->input, sizeof v->input);
    memcpy(v->layer, name, sizeof v->layer);
    snake_case(l->class, v->class);
    if (l->rank == 2)
        k->tokens = (int)k->n;
    return (int)k->n++;
}

int hst_keras_add(hst_keras *k, const hst_keras_layer *l)
{
    /* What has no class among the layers is a function of keras.ops, kept as a node. */
    const char *op = strcmp(l->class, "Gelu") == 0     ? "keras.src.ops.nn"
                     : strcmp(l->class, "Einsum") == 0 ? "keras.src.ops.numpy"
                                                       : NULL;
    char class[HST_H5_NAME], name[HST_KERAS_NAME] = "";
    snake_case(l->class, class);
    int rc = name_layer(k, *l->name ? l->name : class, name);
    const int value = rc < 0 ? rc : add_value(k, l, name);
    json_t *all = value < 0 ? NULL : calls(k, l);
    json_t *layer =
        all ? json_pack("{s:s, s:s, s:O, s:o, s:s, s:o}", "module", op ? op : "keras.layers",
                        "class_name", l->class, "config", l->config, "registered_name",
                        op ? json_string(l->class) : json_null(), "name", name, "inbound_nodes",
                        all)
            : NULL;
    if (value >= 0 && (json_object_set_new(l->config, "name", json_string(name)) ||
                       json_array_append_new(k->layers, layer)))
        rc = hst_fail(k->err, HST_EMEM, "out of memory");
    json_decref(l->config);
    return rc < 0 ? rc : value;
}

int hst_keras_after(hst_keras *k, int x, hst_keras_layer l)
{
    if (x < 0) {
        json_decref(l.config);
        return x;
    }
    l.n_inputs = 1;
    l.input[0] = x;
    if (l.rank == 0) {
        l.rank = k->value[x].rank;
        memcpy(l.dim, k->value[x].dim, sizeof l.dim);
    }
    return hst_keras_add(k, &l);
}

/* The group of a layer's variables, whose name is a number until the layers are in order. */
static int group_of(hst_keras *k, size_t value)
{
    char number[24];
    snprintf(number, sizeof number, "%zu", value);
    const int root = hst_h5_group(&k->weights, -1, "", k->err);
    const int layers = root < 0 ? root : hst_h5_group(&k->weights, root, "layers", k->err);
    return layers < 0 ? layers : hst_h5_group(&k->weights, layers, number, k->err);
}

int hst_keras_variable(hst_keras *k, const char *part, int i, const float *p, int n_dims,
                       const int *dim)
{
    char number[12];
    snprintf(number, sizeof number, "%d", i);
    const int layer = group_of(k, k->n - 1);
    const int of = part && layer >= 0 ? hst_h5_group(&k->weights, layer, part, k->err) : layer;
    const int in = of < 0 ? of : hst_h5_group(&k->weights, of, "vars", k->err);
    k->value[k->n - 1].group = layer;
    return in < 0 ? in : hst_h5_data(&k->weights, in, number, p, n_dims, dim, k->err);
}

/* ---- their order ----
 * Keras does not keep that of the file: what is further from the result comes first, and of what is
 * as far what is found first on the way back from there (keras.src.ops.function.map_graph). By that
 * order variables find their layers. */

typedef struct placed {
    int value, depth, found;
} placed;

static int compare(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    return x->depth != y->depth ? y->depth - x->depth : x->found - y->found;
}

/* place[n], by value; stack[n HST_MAX_INPUTS]. */
static void find_places(const hst_keras *k, placed *place, int *stack)
{
    int top = 0, found = 0;
    for (int i = (int)k->n - 1; i >= 0; i--) {
        place[i].value = i;
        place[i].found = -1;
        for (int n = 0; n < k->value[i].n_inputs; n++) {
            placed *from = &place[k->value[i].input[n]];
            from->depth = from->depth > place[i].depth ? from->depth : place[i].depth + 1;
        }
    }
    stack[top++] = (int)k->n - 1;
    while (top) {
        const int at = stack[--top];
        if (place[at].found >= 0)
            continue;
        place[at].found = found++;
        for (int n = k->value[at].n_inputs; n-- > 0;)
            stack[top++] = k->value[at].input[n];
    }
}

int hst_keras_order(hst_keras *k)
{
    placed *place = hst_arena_alloc(k->arena, k->n, sizeof *place, k->err);
    int *stack =
        place ? hst_arena_alloc(k->arena, k->n * HST_MAX_INPUTS, sizeof *stack, k->err) : NULL;
    json_t *ordered = json_array();
    int rc = stack ? 0 : HST_EMEM;
    if (rc == 0 && hst_h5_group(&k->weights, 0, "vars", k->err) < 0) /* the model's own: none */
        rc = HST_EMEM;
    if (rc == 0) {
        find_places(k, place, stack);
        qsort(place, k->n, sizeof *place, compare);
    }
    for (size_t i = 0; rc == 0 && i < k->n; i++) {
        const hst_keras_value *v = &k->value[place[i].value];
        const int n = count(k->counts, v->class);
        char number[16] = "";
        if (n < 0 || json_array_append(ordered, json_array_get(k->layers, (size_t)place[i].value)))
            rc = hst_fail(k->err, HST_EMEM, "out of memory");
        if (n > 0)
            snprintf(number, sizeof number, "_%d", n);
        if (v->group >= 0)
            snprintf(k->weights.object[v->group].name, HST_H5_NAME, "%.40s%s", v->class, number);
    }
    json_decref(k->layers);
    k->layers = ordered;
    return rc;
}
