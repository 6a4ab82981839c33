/* keras_layers.c - layers and their variables, as Keras 3 serialises them
 * (keras/src/saving/serialization_lib.py, saving_lib.py). */
#include "exports/keras.h"

#include <ctype.h>
#include <stdio.h>
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

/* name, or name_1, ... where it is taken; without slashes, which Keras does not allow there. */
static int unique(hst_keras *k, const char *name, char out[HST_KERAS_NAME])
{
    const int n = count(k->names, name);
    if (n <= 0) {
        for (size_t i = 0; i < HST_KERAS_NAME - 1 && name[i]; i++)
            out[i] = name[i] == '/' ? '_' : name[i];
        return n;
    }
    char other[HST_KERAS_NAME];
    snprintf(other, sizeof other, "%.60s_%d", name, n);
    return unique(k, other, out);
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
    *v = (hst_keras_value){.rank = l->rank};
    memcpy(v->dim, l->dim, sizeof v->dim);
    memcpy(v->layer, name, sizeof v->layer);
    if (l->rank == 2)
        k->tokens = (int)k->n;
    return (int)k->n++;
}

/* The layer's group among the variables: its class, and how many there are before. */
static int begin_variables(hst_keras *k, const char *class, char name[HST_H5_NAME])
{
    const int n = count(k->counts, class);
    if (n > 0)
        snprintf(name + strlen(name), 12, "_%d", n);
    const int root = hst_h5_group(&k->weights, -1, "", k->err);
    const int layers = root < 0 ? root : hst_h5_group(&k->weights, root, "layers", k->err);
    k->variables = n < 0 || layers < 0 ? HST_EMEM : hst_h5_group(&k->weights, layers, name, k->err);
    return k->variables;
}

int hst_keras_add(hst_keras *k, const hst_keras_layer *l)
{
    /* What has no class among the layers is a function of keras.ops, kept as a node. */
    const int is_op = strcmp(l->class, "Gelu") == 0;
    char snake[HST_H5_NAME], name[HST_KERAS_NAME] = "";
    snake_case(l->class, snake);
    int rc = unique(k, *l->name ? l->name : snake, name);
    rc = rc < 0 ? rc : begin_variables(k, l->class, snake);
    const int value = rc < 0 ? rc : add_value(k, l, name);
    json_t *all = value < 0 ? NULL : calls(k, l);
    json_t *layer = all ? json_pack("{s:s, s:s, s:O, s:o, s:s, s:o}", "module",
                                    is_op ? "keras.src.ops.nn" : "keras.layers", "class_name",
                                    l->class, "config", l->config, "registered_name",
                                    is_op ? json_string(l->class) : json_null(), "name", name,
                                    "inbound_nodes", all)
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

int hst_keras_variable(hst_keras *k, const char *part, int i, const float *p, int n_dims,
                       const int *dim)
{
    char number[12];
    snprintf(number, sizeof number, "%d", i);
    const int of = part ? hst_h5_group(&k->weights, k->variables, part, k->err) : k->variables;
    const int in = of < 0 ? of : hst_h5_group(&k->weights, of, "vars", k->err);
    return in < 0 ? in : hst_h5_data(&k->weights, in, number, p, n_dims, dim, k->err);
}
