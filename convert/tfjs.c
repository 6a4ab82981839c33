#include "tfjs.h"
#include "base/json.h"
#include "bytes.h"
#include "keras.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WEIGHTS = 20000, MAX_PATHS = 1000, MAX_DIMS = 8, MAX_NAME = 1000, MAX_JSON = 64 << 20 };

typedef struct tfjs {
    weights *w;
    hst_source *s;
    hst_source_file *model;
    tfjs_weights have;
    size_t left; /* bytes of decoded weights that may still be made */
} tfjs;

static int refuse(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "the TensorFlow.js model is refused: %s", why);
}

/* ---- shards ---- */

/* Only a plain name of a file beside model.json. */
static int find_shard(tfjs *j, const json_t *path, hst_source_file **out, hst_err *err)
{
    const char *name = json_string_value(path);
    if (!name || !*name || strlen(name) > MAX_NAME)
        return refuse(err, "a shard has no usable name");
    if (strpbrk(name, "/\\:") || name[0] == '.')
        return hst_fail(err, HST_EMODEL,
                        "the shard '%.200s' is no file beside model.json, so it is not opened",
                        name);
    *out = hst_source_find(j->s, name);
    if (!*out || *out == j->model)
        return hst_fail(err, HST_EMODEL, "the shard '%.200s' is missing", name);
    return 0;
}

/* The shards of a group, joined. One shard stays where it is. */
static int join_shards(tfjs *j, const json_t *paths, bytes *out, hst_err *err)
{
    size_t n = json_array_size(paths), total = 0;
    hst_source_file *f = NULL;
    if (n == 0 || n > MAX_PATHS)
        return refuse(err, "a group of weights has no shards, or too many");
    for (size_t i = 0; i < n; i++) {
        int rc = find_shard(j, json_array_get(paths, i), &f, err);
        rc = rc ? rc : hst_source_load(f, err);
        if (rc)
            return rc;
        if (f->n_bytes > SIZE_MAX - total)
            return refuse(err, "its shards are too large");
        total += (size_t)f->n_bytes;
    }
    *out = (bytes){f->data, total};
    if (n == 1)
        return 0;
    if (total > j->left)
        return refuse(err, "it names the same shard again and again");
    j->left -= total;
    uint8_t *all = hst_arena_alloc(j->w->arena, total, 1, err);
    if (!all)
        return HST_EMEM;
    *out = (bytes){all, total};
    for (size_t i = 0; i < n; i++) {
        int rc = find_shard(j, json_array_get(paths, i), &f, err);
        if (rc)
            return rc;
        memcpy(all, f->data, (size_t)f->n_bytes);
        all += f->n_bytes;
    }
    return 0;
}

/* ---- weights ---- */

/* How a weight is stored. */
typedef struct stored {
    enum hst_dtype as; /* the weight's own type, or HST_F16 */
    int bits;          /* 8, 16: of whole numbers that stand for it; 0: it is as it is */
    double min, scale;
} stored;

static int read_quantization(const json_t *q, stored *st, hst_err *err)
{
    const char *dtype = json_string_value(json_object_get(q, "dtype"));
    const json_t *min = json_object_get(q, "min"), *scale = json_object_get(q, "scale");
    if (!q)
        return 0;
    if (dtype && strcmp(dtype, "float16") == 0 && st->as == HST_F32) {
        st->as = HST_F16;
        return 0;
    }
    if (!dtype || (strcmp(dtype, "uint8") != 0 && strcmp(dtype, "uint16") != 0))
        return refuse(err, "a weight is quantised in an unknown way");
    st->bits = strcmp(dtype, "uint8") == 0 ? 8 : 16;
    if (!json_is_number(min) || !json_is_number(scale))
        return refuse(err, "a quantisation has no numbers for min and scale");
    st->min = json_number_value(min);
    st->scale = json_number_value(scale);
    if (!isfinite(st->min) || !isfinite(st->scale))
        return refuse(err, "a quantisation is not finite");
    return 0;
}

static int read_shape(const json_t *shape, hst_tensor *t, hst_err *err)
{
    size_t n = json_array_size(shape);
    if (!json_is_array(shape) || n > MAX_DIMS)
        return refuse(err, "a weight has no usable shape");
    t->n_dims = (int)n;
    for (size_t i = 0; i < n; i++) {
        const json_t *d = json_array_get(shape, i);
        t->dim[i] = json_integer_value(d);
        if (!json_is_integer(d) || t->dim[i] < 0)
            return refuse(err, "a dimension is no whole number from 0");
    }
    return 0;
}

/* Name, shape, type and way of storing; *bytes_wide: of a stored element. */
static int read_entry(const json_t *e, hst_tensor *t, stored *st, size_t *bytes_wide, hst_err *err)
{
    static const struct {
        const char *name;
        enum hst_dtype dtype;
    } types[] = {{"float32", HST_F32}, {"int32", HST_I32}, {"bool", HST_BOOL}};
    const char *dtype = json_string_value(json_object_get(e, "dtype"));
    t->name = json_string_value(json_object_get(e, "name"));
    t->dtype = HST_OTHER;
    for (int i = 0; dtype && i < 3; i++)
        if (strcmp(dtype, types[i].name) == 0)
            t->dtype = types[i].dtype;
    if (!t->name || !*t->name || strlen(t->name) > MAX_NAME)
        return refuse(err, "a weight has no usable name");
    if (t->dtype == HST_OTHER)
        return hst_fail(err, HST_EMODEL, "weight '%.200s' has a type that is not read", t->name);
    *st = (stored){.as = t->dtype};
    int rc = read_shape(json_object_get(e, "shape"), t, err);
    rc = rc ? rc : read_quantization(json_object_get(e, "quantization"), st, err);
    *bytes_wide = st->bits ? (size_t)st->bits / 8 : hst_dtype_bytes(st->as);
    return rc;
}

/* q * scale + min in double precision, as TensorFlow.js computes it. */
static void dequantise(const stored *st, const uint8_t *p, size_t count, hst_tensor *t, void *out)
{
    float *f = out;
    int32_t *whole = out;
    uint8_t *flags = out;
    for (size_t i = 0; i < count; i++) {
        double v = (st->bits == 8 ? p[i] : le16(p + 2 * i)) * st->scale + st->min;
        if (t->dtype == HST_F32)
            f[i] = (float)v;
        else if (t->dtype == HST_I32)
            whole[i] = v > INT32_MIN && v < INT32_MAX ? (int32_t)round(v) : 0;
        else
            flags[i] = v != 0;
    }
}

/* Takes a weight off the front of *data. */
static int read_weight(tfjs *j, const json_t *e, bytes *data, hst_err *err)
{
    hst_tensor t = {0};
    stored st = {0};
    size_t wide = 0, n, count = 1;
    int rc = read_entry(e, &t, &st, &wide, err);
    if (rc)
        return rc;
    for (int i = 0; i < t.n_dims; i++)
        if (!hst_mul_ok(count, (size_t)t.dim[i], &count))
            return hst_fail(err, HST_EMODEL, "weight '%.200s': its shape overflows", t.name);
    if (!hst_mul_ok(count, wide, &n) || n > data->n)
        return hst_fail(err, HST_EMODEL, "weight '%.200s' reaches past the end of its shards",
                        t.name);
    t.n_bytes = count * hst_dtype_bytes(t.dtype); /* at most 8 times n */
    if (t.n_bytes > j->left)
        return refuse(err, "its weights are far larger than its files");
    j->left -= t.n_bytes;
    void *out = hst_arena_alloc(j->w->arena, t.n_bytes, 1, err);
    if (!out)
        return HST_EMEM;
    t.data = out;
    if (st.bits) {
        dequantise(&st, data->p, count, &t, out);
    } else if (st.as == HST_F16) {
        uint16_t *half = hst_alloc(count, sizeof *half, err);
        hst_tensor h = {.name = t.name, .dtype = HST_F16, .n_dims = 1, .data = half};
        h.dim[0] = (int64_t)count;
        if (!half)
            return HST_EMEM;
        if (n)
            memcpy(half, data->p, n);
        rc = hst_tensor_floats(&h, out, err);
        free(half);
    } else if (n) {
        memcpy(out, data->p, n);
    }
    data->p += n;
    data->n -= n;
    bytes name = {(const uint8_t *)t.name, strlen(t.name)};
    rc = rc ? rc : names_put(&j->have.names, name, (int)j->have.n, err);
    j->have.t[j->have.n++] = t;
    return rc;
}

static int read_group(tfjs *j, const json_t *group, hst_err *err)
{
    const json_t *list = json_object_get(group, "weights");
    bytes data = {0};
    int rc = join_shards(j, json_object_get(group, "paths"), &data, err);
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++)
        rc = read_weight(j, json_array_get(list, i), &data, err);
    if (rc == 0 && data.n)
        return hst_fail(err, HST_EMODEL, "the shards are %zu bytes longer than the manifest says",
                        data.n);
    return rc;
}

static int read_manifest(tfjs *j, const json_t *manifest, hst_err *err)
{
    size_t n = 0;
    if (json_array_size(manifest) == 0 || json_array_size(manifest) > MAX_PATHS)
        return refuse(err, "it has no manifest of weights");
    for (size_t i = 0; i < json_array_size(manifest); i++)
        n += json_array_size(json_object_get(json_array_get(manifest, i), "weights"));
    if (n > MAX_WEIGHTS)
        return refuse(err, "it has too many weights");
    j->have.t = hst_arena_alloc(j->w->arena, n, sizeof *j->have.t, err);
    int rc = j->have.t ? names_init(&j->have.names, n, j->w->arena, err) : HST_EMEM;
    for (size_t i = 0; rc == 0 && i < json_array_size(manifest); i++)
        rc = read_group(j, json_array_get(manifest, i), err);
    return rc;
}

/* ---- layers model ---- */

/* Says the size of the first layer that says its input, [batch, height, width, 3]. 1: none does. */
static int say_size(weights *w, const json_t *config, int depth, hst_err *err)
{
    const json_t *layers = json_object_get(config, "layers");
    int rc = 1;
    if (!layers && json_is_array(config))
        layers = config; /* an old Sequential */
    for (size_t i = 0; rc == 1 && i < json_array_size(layers) && depth < 4; i++) {
        const json_t *c = json_object_get(json_array_get(layers, i), "config");
        const json_t *shape = json_object_get(c, "batch_input_shape");
        shape = shape ? shape : json_object_get(c, "batch_shape");
        const json_int_t height = json_integer_value(json_array_get(shape, 1));
        const json_int_t width = json_integer_value(json_array_get(shape, 2));
        if (json_array_size(shape) == 4 && height > 0 && height < 65536 && width > 0 &&
            width < 65536)
            return weights_say_size(w, width, height, err);
        rc = say_size(w, c, depth + 1, err);
    }
    return rc;
}

static int layers_model(tfjs *j, const json_t *topology, hst_err *err)
{
    const json_t *model = json_object_get(topology, "model_config");
    const json_t *config = json_object_get(model ? model : topology, "config");
    const char *version = json_string_value(json_object_get(topology, "keras_version"));
    int rc = weights_say(j->w, err, "source_format", "TensorFlow.js layers model");
    if (rc == 0 && version)
        rc = weights_say(j->w, err, "producer", "Keras %.50s", version);
    for (size_t i = 0; rc == 0 && i < j->have.n; i++)
        rc = weights_add(j->w, &j->have.t[i], err);
    rc = rc ? rc : keras_say_config(j->w, model ? model : topology, err);
    const int said = rc ? rc : say_size(j->w, config, 0, err);
    return said < 0 ? said : 0;
}

/* ---- the whole ---- */

static hst_source_file *find_model(hst_source *s)
{
    hst_source_file *found = s->is_folder ? hst_source_find(s, "model.json") : &s->file[0];
    return s->n ? found : NULL;
}

static int read_json(tfjs *j, json_t **out, hst_err *err)
{
    j->model = find_model(j->s);
    if (!j->model)
        return refuse(err, "there is no model.json");
    if (j->model->n_bytes > MAX_JSON)
        return refuse(err, "its model.json is too large");
    int rc = hst_source_load(j->model, err);
    if (rc)
        return rc;
    *out =
        hst_json_parse((const char *)j->model->data, (size_t)j->model->n_bytes, "model.json", err);
    return *out ? 0 : err->code;
}

/* A model that headstart has exported says what it is where TensorFlow.js leaves room for such. */
static int say_ours(tfjs *j, const json_t *root, hst_err *err)
{
    const json_t *own = json_object_get(json_object_get(root, "userDefinedMetadata"), "model");
    if (!json_object_get(own, "exported"))
        return 0;
    char *facts = hst_json_write(own, JSON_COMPACT, err);
    int rc = facts ? weights_say_model(j->w, facts, strlen(facts), err) : HST_EMEM;
    free(facts);
    j->have.ours = rc == 0;
    return rc;
}

static int read_model(tfjs *j, const json_t *root, hst_err *err)
{
    const json_t *topology = json_object_get(root, "modelTopology");
    const char *by = json_string_value(json_object_get(root, "convertedBy"));
    if (!json_is_object(topology))
        return refuse(err, "model.json has no modelTopology");
    int rc = read_manifest(j, json_object_get(root, "weightsManifest"), err);
    rc = rc ? rc : say_ours(j, root, err);
    if (rc == 0 && json_object_get(topology, "node"))
        rc = tfjs_graph(j->w, topology, &j->have, j->s, err);
    else
        rc = rc ? rc : layers_model(j, topology, err);
    return rc || !by ? rc : weights_say(j->w, err, "producer", "%.100s", by);
}

int tfjs_read(weights *w, hst_source *s, hst_err *err)
{
    json_t *root = NULL;
    uint64_t all = hst_source_bytes(s);
    tfjs j = {.w = w, .s = s, .left = all > SIZE_MAX / 32 ? SIZE_MAX : 8 * (size_t)all + (1 << 20)};
    int rc = read_json(&j, &root, err);
    rc = rc ? rc : read_model(&j, root, err);
    json_decref(root);
    return rc;
}
