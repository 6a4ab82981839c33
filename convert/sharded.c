#include "sharded.h"
#include "base/json.h"

#include <string.h>

static void end(void *t)
{
    hst_tensors_free(t);
}

/* The tensors that the map says are in one file; *n of them. */
static int read_shard(weights *w, const json_t *map, hst_source_file *f, size_t *n, hst_err *err)
{
    const char *name;
    json_t *file;
    int rc = hst_source_load(f, err);
    hst_tensors *t = rc ? NULL : hst_tensors_parse(f->data, (size_t)f->n_bytes, err);
    if (!t) {
        (void)hst_err_at(err, f->name);
        return rc ? rc : err->code;
    }
    rc = weights_keep(w, t, end, err);
    if (rc)
        return rc;
    json_object_foreach((json_t *)map, name, file)
    {
        const char *in = json_string_value(file);
        const hst_tensor *x = in && strcmp(in, f->name) == 0 ? hst_tensors_find(t, name) : NULL;
        if (!in || strcmp(in, f->name) != 0)
            continue;
        if (!x)
            return hst_fail(err, HST_EMODEL, "tensor '%.200s' is not in %s", name, f->name);
        rc = weights_add(w, x, err);
        if (rc)
            return rc;
        ++*n;
    }
    return 0;
}

static int names_file(const json_t *map, const char *file)
{
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)map, name, v)
    {
        const char *in = json_string_value(v);
        if (in && strcmp(in, file) == 0)
            return 1;
    }
    return 0;
}

static int read_all(weights *w, const json_t *root, hst_source *s, hst_err *err)
{
    const json_t *map = json_object_get(root, "weight_map");
    size_t n = 0, shards = 0;
    int rc = 0;
    if (json_object_size(map) == 0)
        return hst_fail(err, HST_EMODEL, "the index has no \"weight_map\"");
    for (size_t i = 0; i < s->n && rc == 0; i++)
        if (names_file(map, s->file[i].name)) {
            rc = read_shard(w, map, &s->file[i], &n, err);
            shards++;
        }
    if (rc == 0 && n != json_object_size(map))
        rc =
            hst_fail(err, HST_EMODEL, "the index names %zu tensors; %zu are in the files beside it",
                     json_object_size(map), n);
    return rc ? rc : weights_say(w, err, "source_format", "safetensors in %zu files", shards);
}

int sharded_read(weights *w, hst_source *s, hst_err *err)
{
    hst_source_file *f =
        s->is_folder ? hst_source_find(s, "model.safetensors.index.json") : &s->file[0];
    int rc = f ? hst_source_load(f, err) : hst_fail(err, HST_EMODEL, "there is no index");
    if (rc)
        return rc;
    json_t *root = hst_json_parse((const char *)f->data, (size_t)f->n_bytes, f->name, err);
    if (!root)
        return err->code;
    rc = read_all(w, root, s, err);
    json_decref(root);
    return rc;
}
