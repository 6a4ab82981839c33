#include "pth.h"
#include "base/mem.h"
#include "base/str.h"
#include "birder.h"
#include "pickle.h"
#include "zip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_DIMS = 8,
    MAX_KEY = 200,
    MAX_NAME = 1000,
    ZIP_RATIO = 4, /* members are stored, not compressed */
    OUT_RATIO = 8, /* tensors may share a storage */
    OUT_SLACK = 1 << 20
};

/* The bytes behind a storage key. */
typedef struct storage {
    const uint8_t *key;
    uint32_t n_key;
    enum hst_dtype dtype;
    const uint8_t *data; /* NULL: not found yet */
    size_t n_bytes;
} storage;

/* What the tensors live in, besides the file. */
typedef struct pth {
    weights *w;
    pickle object;
    zip archive;
    storage *storage; /* sorted by key */
    size_t n_storages;
} pth;

static const struct {
    const char *name;
    enum hst_dtype dtype;
} storage_types[] = {
    {"torch.FloatStorage", HST_F32},     {"torch.HalfStorage", HST_F16},
    {"torch.BFloat16Storage", HST_BF16}, {"torch.DoubleStorage", HST_F64},
    {"torch.LongStorage", HST_I64},      {"torch.IntStorage", HST_I32},
    {"torch.ShortStorage", HST_I16},     {"torch.CharStorage", HST_I8},
    {"torch.ByteStorage", HST_U8},       {"torch.BoolStorage", HST_BOOL},
};
enum { N_STORAGE_TYPES = sizeof storage_types / sizeof *storage_types };

static int refuse(hst_err *err, const char *why)
{
    return hst_fail(err, HST_EMODEL, "the PyTorch file is refused: %s", why);
}

/* ---- storages ---- */

/* What a persistent id says. */
typedef struct stored {
    storage s; /* key and type */
    int64_t count;
} stored;

static int read_stored(const pickle *p, const pickle_node *node, stored *out, hst_err *err)
{
    const pickle_node *id = pickle_item(p, node, 0);
    if (id->kind != PICKLE_TUPLE || id->n < 5 || !pickle_is(pickle_item(p, id, 0), "storage"))
        return refuse(err, "a persistent id is no storage");
    const pickle_node *type = pickle_item(p, id, 1), *key = pickle_item(p, id, 2);
    const pickle_node *count = pickle_item(p, id, 4);
    if (type->kind != PICKLE_GLOBAL || key->kind != PICKLE_STRING || count->kind != PICKLE_INT ||
        count->i < 0 || key->n > MAX_KEY || memchr(key->s, 0, key->n))
        return refuse(err, "a storage is described wrongly");
    if (id->n > 5 && pickle_item(p, id, 5)->kind != PICKLE_NONE)
        return refuse(err, "a storage is a view of another (save it with a newer PyTorch)");
    for (size_t i = 0; i < N_STORAGE_TYPES; i++)
        if (pickle_is_global(type, storage_types[i].name)) {
            *out = (stored){{key->s, key->n, storage_types[i].dtype, NULL, 0}, count->i};
            return 0;
        }
    return refuse(err, "a storage has no known type");
}

static int by_key(const void *a, const void *b)
{
    const storage *x = a, *y = b;
    int c = memcmp(x->key, y->key, x->n_key < y->n_key ? x->n_key : y->n_key);
    return c ? c : (x->n_key > y->n_key) - (x->n_key < y->n_key);
}

static storage *find_storage(const pth *p, const uint8_t *key, uint32_t n_key)
{
    storage want = {.key = key, .n_key = n_key};
    return p->n_storages ? bsearch(&want, p->storage, p->n_storages, sizeof want, by_key) : NULL;
}

/* Every storage that the object names, once, sorted by key; without data yet. */
static int list_storages(pth *p, hst_err *err)
{
    size_t n = 0, kept = 0;
    for (uint32_t i = 0; i < p->object.n; i++)
        n += p->object.node[i].kind == PICKLE_STORED;
    p->storage = hst_alloc(n, sizeof *p->storage, err);
    if (!p->storage)
        return HST_EMEM;
    for (uint32_t i = 0; i < p->object.n; i++) {
        stored s;
        if (p->object.node[i].kind != PICKLE_STORED)
            continue;
        int rc = read_stored(&p->object, &p->object.node[i], &s, err);
        if (rc)
            return rc;
        p->storage[p->n_storages++] = s.s;
    }
    qsort(p->storage, n, sizeof *p->storage, by_key);
    for (size_t i = 0; i < n; i++) {
        storage *last = kept ? &p->storage[kept - 1] : NULL;
        if (!last || by_key(last, &p->storage[i]) != 0)
            p->storage[kept++] = p->storage[i];
        else if (last->dtype != p->storage[i].dtype)
            return refuse(err, "a storage has two types");
    }
    p->n_storages = kept;
    return 0;
}

/* ---- tensors ---- */

/* A tensor as the pickle describes it, all bounds checked. */
typedef struct view {
    hst_tensor named; /* data: of its first element, in the storage */
    int64_t stride[MAX_DIMS];
} view;

static int is_call(const pickle *p, const pickle_node *node, const char *name)
{
    return node->kind == PICKLE_CALL && pickle_is_global(pickle_item(p, node, 0), name);
}

/* The call that rebuilds a tensor (a parameter is a call around one); NULL: no tensor. */
static const pickle_node *tensor_call(const pickle *p, const pickle_node *node)
{
    if (is_call(p, node, "torch._utils._rebuild_parameter") && pickle_item(p, node, 1)->n > 0)
        node = pickle_item(p, pickle_item(p, node, 1), 0);
    return is_call(p, node, "torch._utils._rebuild_tensor_v2") ? node : NULL;
}

/* A tuple (or torch.Size of one) of whole numbers >= 0. */
static int read_sizes(const pickle *p, const pickle_node *node, int64_t out[MAX_DIMS], int *n)
{
    if (is_call(p, node, "torch.Size") && pickle_item(p, node, 1)->n == 1)
        node = pickle_item(p, pickle_item(p, node, 1), 0);
    if (node->kind != PICKLE_TUPLE || node->n > MAX_DIMS)
        return 0;
    *n = (int)node->n;
    for (uint32_t i = 0; i < node->n; i++) {
        const pickle_node *item = pickle_item(p, node, i);
        if (item->kind != PICKLE_INT || item->i < 0)
            return 0;
        out[i] = item->i;
    }
    return 1;
}

/* Whether every element lies in the storage: offset + sum of (dim - 1) * stride < count. *bytes:
 * the tensor's own size. */
static int inside(const view *v, int64_t offset, int64_t count, size_t *bytes)
{
    int64_t last = offset, step;
    *bytes = hst_dtype_bytes(v->named.dtype);
    for (int i = 0; i < v->named.n_dims; i++)
        if (!hst_mul_ok(*bytes, (size_t)v->named.dim[i], bytes))
            return 0;
    if (*bytes == 0)
        return 1; /* no element */
    for (int i = 0; i < v->named.n_dims; i++)
        if (__builtin_mul_overflow(v->named.dim[i] - 1, v->stride[i], &step) ||
            __builtin_add_overflow(last, step, &last))
            return 0;
    return last < count;
}

static int tensor_error(hst_err *err, const char *name, const char *why)
{
    return hst_fail(err, HST_EMODEL, "tensor '%.200s': %s", name, why);
}

static int read_view(const pth *p, const pickle_node *call, view *v, hst_err *err)
{
    const pickle *o = &p->object;
    const pickle_node *args = pickle_item(o, call, 1);
    const char *name = v->named.name;
    stored s;
    int n_strides = 0;
    if (args->n < 4 || pickle_item(o, args, 0)->kind != PICKLE_STORED ||
        pickle_item(o, args, 1)->kind != PICKLE_INT)
        return tensor_error(err, name, "it is described wrongly");
    int rc = read_stored(o, pickle_item(o, args, 0), &s, err);
    if (rc)
        return rc;
    int64_t offset = pickle_item(o, args, 1)->i;
    if (!read_sizes(o, pickle_item(o, args, 2), v->named.dim, &v->named.n_dims) ||
        !read_sizes(o, pickle_item(o, args, 3), v->stride, &n_strides) ||
        n_strides != v->named.n_dims || offset < 0)
        return tensor_error(err, name, "its shape, strides or offset are wrong");
    const storage *st = find_storage(p, s.s.key, s.s.n_key);
    size_t size = hst_dtype_bytes(s.s.dtype), want;
    if (!st || !st->data)
        return tensor_error(err, name, "its storage is missing");
    if (!hst_mul_ok((size_t)s.count, size, &want) || want != st->n_bytes)
        return hst_fail(err, HST_EMODEL,
                        "tensor '%.200s': its storage has %zu bytes, expected %lld elements of %zu",
                        name, st->n_bytes, (long long)s.count, size);
    v->named.dtype = s.s.dtype;
    if (!inside(v, offset, s.count, &v->named.n_bytes))
        return tensor_error(err, name, "it reaches past the end of its storage");
    v->named.data = st->data + (v->named.n_bytes ? (size_t)offset * size : 0);
    for (int i = 0; i < v->named.n_dims; i++)
        if (v->named.dim[i] == 1)
            v->stride[i] = 0; /* no step is taken, however long it says it is */
    return 0;
}

static int is_contiguous(const view *v)
{
    int64_t step = 1;
    for (int i = v->named.n_dims; v->named.n_bytes && i-- > 0;) {
        if (v->named.dim[i] > 1 && v->stride[i] != step)
            return 0;
        step *= v->named.dim[i];
    }
    return 1;
}

/* Copies a strided tensor element by element, the last dimension fastest. */
static void gather(const view *v, uint8_t *out)
{
    size_t size = hst_dtype_bytes(v->named.dtype);
    int64_t index[MAX_DIMS] = {0}, at = 0;
    for (size_t done = 0; done < v->named.n_bytes; done += size) {
        memcpy(out + done, (const uint8_t *)v->named.data + (size_t)at * size, size);
        for (int i = v->named.n_dims; i-- > 0;) {
            at += v->stride[i];
            if (++index[i] < v->named.dim[i])
                break;
            at -= v->stride[i] * v->named.dim[i];
            index[i] = 0;
        }
    }
}

/* ---- the dictionary ---- */

/* The dictionary with the tensors: the object itself, or an entry of a training checkpoint. */
static const pickle_node *state_dict(const pickle *p)
{
    static const char *const nested[] = {"state_dict", "model_state_dict", "model"};
    const pickle_node *root = &p->node[p->root];
    if (root->kind != PICKLE_DICT)
        return NULL;
    for (size_t k = 0; k < sizeof nested / sizeof *nested; k++)
        for (uint32_t i = 0; i + 1 < root->n; i += 2)
            if (pickle_is(pickle_item(p, root, i), nested[k]) &&
                pickle_item(p, root, i + 1)->kind == PICKLE_DICT)
                return pickle_item(p, root, i + 1);
    return birder_state(p) ? birder_state(p) : root;
}

static int add_tensor(pth *p, const pickle_node *key, const pickle_node *call, size_t *left,
                      hst_err *err)
{
    view v = {0};
    if (key->kind != PICKLE_STRING || key->n > MAX_NAME || memchr(key->s, 0, key->n))
        return refuse(err, "the name of a tensor is no usable text");
    char name[MAX_NAME + 1] = "";
    memcpy(name, key->s, key->n);
    v.named.name = name;
    int rc = read_view(p, call, &v, err);
    if (rc)
        return rc;
    if (v.named.n_bytes > *left)
        return tensor_error(err, name, "with it the tensors are far larger than the file");
    *left -= v.named.n_bytes;
    if (!is_contiguous(&v)) {
        void *copy = hst_arena_alloc(p->w->arena, v.named.n_bytes, 1, err);
        if (!copy)
            return HST_EMEM;
        gather(&v, copy);
        v.named.data = copy;
    }
    return weights_add(p->w, &v.named, err);
}

/* Data-parallel training puts "module." in front of every name. */
static void strip_module(weights *w)
{
    static const char prefix[] = "module.";
    size_t n = sizeof prefix - 1;
    for (size_t i = 0; i < w->n; i++)
        if (strncmp(w->t[i].name, prefix, n) != 0 || !w->t[i].name[n])
            return;
    for (size_t i = 0; i < w->n; i++)
        w->t[i].name += n;
}

/* Of a state dict that headstart has exported, the network's configuration as timm writes it. */
static int say_config(weights *w, const pickle *o, hst_err *err)
{
    const pickle_node *ours = pickle_attribute(o, "headstart");
    const pickle_node *config =
        ours && ours->kind == PICKLE_DICT ? pickle_member(o, ours, "config") : NULL;
    if (!config || config->kind != PICKLE_STRING)
        return 0;
    char *text = hst_arena_alloc(w->arena, (size_t)config->n + 1, 1, err);
    if (!text)
        return HST_EMEM;
    memcpy(text, config->s, config->n);
    return weights_say_text(w, "timm_config", text, err);
}

/* Everything but tensors is passed over. */
static int read_tensors(pth *p, uint64_t file_bytes, hst_err *err)
{
    const pickle *o = &p->object;
    const pickle_node *dict = state_dict(o);
    size_t left = (size_t)file_bytes * OUT_RATIO + OUT_SLACK;
    if (!dict)
        return refuse(err, "it holds no dictionary of tensors");
    for (uint32_t i = 0; i + 1 < dict->n; i += 2) {
        const pickle_node *call = tensor_call(o, pickle_item(o, dict, i + 1));
        int rc = call ? add_tensor(p, pickle_item(o, dict, i), call, &left, err) : 0;
        if (rc)
            return rc;
    }
    if (!p->w->n)
        return refuse(err, "it holds no dictionary of tensors");
    strip_module(p->w);
    return birder_state(o) ? birder_say(p->w, o, err) : say_config(p->w, o, err);
}

/* ---- the two layouts ---- */

/* The member <stem>/data.pkl; there must be one. */
static const zip_member *find_object(const zip *z, hst_err *err)
{
    const zip_member *found = NULL;
    for (size_t i = 0; i < z->n; i++) {
        if (!hst_ends_with(z->member[i].name, "/data.pkl"))
            continue;
        if (found) {
            refuse(err, "the archive has two data.pkl");
            return NULL;
        }
        found = &z->member[i];
    }
    if (!found)
        refuse(err, "the archive has no data.pkl, so it is none of PyTorch's");
    return found;
}

int pth_is_zip(const hst_source_file *f, int *is, hst_err *err)
{
    zip z;
    int rc = zip_open(&z, f, ZIP_RATIO, err), program = 0;
    *is = 0;
    for (size_t i = 0; i < z.n && rc == 0; i++) {
        *is |= hst_ends_with(z.member[i].name, "/data.pkl");
        program |= hst_ends_with(z.member[i].name, "/archive_format");
    }
    zip_free(&z);
    if (program && !*is)
        return hst_fail(err, HST_EMODEL,
                        "holds a program that torch.export made: save the network's state_dict() "
                        "with torch.save instead");
    return rc;
}

static const zip_member *find_member(const zip *z, const char *object, const char *name,
                                     const storage *key)
{
    char path[2048];
    int stem = (int)(strlen(object) - strlen("data.pkl"));
    int n = snprintf(path, sizeof path, "%.*s%s%.*s", stem, object, name, key ? (int)key->n_key : 0,
                     key ? (const char *)key->key : "");
    return n > 0 && (size_t)n < sizeof path ? zip_find(z, path) : NULL;
}

static void end(void *thing)
{
    pth *p = thing;
    pickle_free(&p->object);
    zip_free(&p->archive);
    free(p->storage);
    free(p);
}

static pth *begin(weights *w, hst_err *err)
{
    pth *p = hst_alloc(1, sizeof *p, err);
    if (!p || weights_keep(w, p, end, err))
        return NULL;
    p->w = w;
    return p;
}

static int say_source(weights *w, const char *layout, hst_err *err)
{
    int rc = weights_say(w, err, "format", "pt"); /* what safetensors' own tools look for */
    return rc ? rc : weights_say(w, err, "source_format", "PyTorch %s", layout);
}

int pth_read_zip(weights *w, hst_source *s, hst_err *err)
{
    size_t used;
    hst_source_file *file = &s->file[0];
    pth *p = begin(w, err);
    int rc = p ? say_source(w, "zip", err) : HST_EMEM;
    rc = rc ? rc : zip_open(&p->archive, file, ZIP_RATIO, err);
    if (rc)
        return rc;
    const zip_member *object = find_object(&p->archive, err);
    if (!object)
        return HST_EMODEL;
    rc = zip_load(&p->archive, err);
    if (rc)
        return rc;
    const zip_member *order = find_member(&p->archive, object->name, "byteorder", NULL);
    if (order && (order->size != 6 || memcmp(order->data, "little", 6) != 0))
        return refuse(err, "its numbers are not little-endian");
    rc = pickle_load(&p->object, object->data, (size_t)object->size, &used, err);
    rc = rc ? rc : list_storages(p, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < p->n_storages; i++) {
        storage *st = &p->storage[i];
        const zip_member *m = find_member(&p->archive, object->name, "data/", st);
        st->data = m ? m->data : NULL;
        st->n_bytes = m ? (size_t)m->size : 0;
    }
    return read_tensors(p, file->n_bytes, err);
}

/* The three pickles in front: magic number, protocol, system. */
static int check_front(int number, const pickle *p)
{
    static const uint8_t magic[10] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
    const pickle_node *root = &p->node[p->root];
    if (number == 0)
        return root->kind == PICKLE_LONG && root->n == sizeof magic &&
               memcmp(root->s, magic, sizeof magic) == 0;
    if (number == 1)
        return root->kind == PICKLE_INT && root->i == 1001;
    if (root->kind != PICKLE_DICT)
        return 0;
    for (uint32_t i = 0; i + 1 < root->n; i += 2)
        if (pickle_is(pickle_item(p, root, i), "little_endian"))
            return pickle_item(p, root, i + 1)->kind == PICKLE_BOOL &&
                   pickle_item(p, root, i + 1)->i == 1;
    return 1;
}

static int read_front(const hst_source_file *f, size_t *at, hst_err *err)
{
    static const char *const wrong[3] = {
        "it begins as a pickle, but without PyTorch's magic number",
        "its protocol is not 1001",
        "its numbers are not little-endian",
    };
    for (int i = 0; i < 3; i++) {
        pickle front;
        size_t used;
        int rc = pickle_load(&front, f->data + *at, (size_t)f->n_bytes - *at, &used, err);
        if (rc == 0 && !check_front(i, &front))
            rc = refuse(err, wrong[i]);
        pickle_free(&front);
        if (rc)
            return rc;
        *at += used;
    }
    return 0;
}

/* One storage of the tail: i64 elements | bytes. */
static int read_storage(pth *p, const hst_source_file *f, const pickle_node *key, size_t *at,
                        hst_err *err)
{
    int64_t count;
    size_t bytes, n = (size_t)f->n_bytes;
    storage *s = key->kind == PICKLE_STRING ? find_storage(p, key->s, key->n) : NULL;
    if (!s || s->data)
        return refuse(err, "the list of its storages does not match its tensors");
    if (n - *at < sizeof count)
        return refuse(err, "it is cut off");
    memcpy(&count, f->data + *at, sizeof count);
    *at += sizeof count;
    if (count < 0 || !hst_mul_ok((size_t)count, hst_dtype_bytes(s->dtype), &bytes) ||
        bytes > n - *at)
        return refuse(err, "a storage is longer than the file");
    s->data = f->data + *at;
    s->n_bytes = bytes;
    *at += bytes;
    return 0;
}

int pth_read_legacy(weights *w, hst_source *s, hst_err *err)
{
    pickle keys = {0};
    size_t at = 0, used;
    hst_source_file *f = &s->file[0];
    size_t n = (size_t)f->n_bytes;
    pth *p = begin(w, err);
    int rc = p ? say_source(w, "legacy", err) : HST_EMEM;
    rc = rc ? rc : hst_source_load(f, err);
    rc = rc ? rc : read_front(f, &at, err);
    rc = rc ? rc : pickle_load(&p->object, f->data + at, n - at, &used, err);
    rc = rc ? rc : list_storages(p, err);
    if (rc)
        return rc;
    at += used;
    rc = pickle_load(&keys, f->data + at, n - at, &used, err);
    if (rc == 0 && keys.node[keys.root].kind != PICKLE_LIST)
        rc = refuse(err, "the list of its storages is missing");
    at += used;
    for (uint32_t i = 0; rc == 0 && i < keys.node[keys.root].n; i++)
        rc = read_storage(p, f, pickle_item(&keys, &keys.node[keys.root], i), &at, err);
    pickle_free(&keys);
    if (rc == 0 && at != n)
        rc = refuse(err, "bytes are left over at its end");
    return rc ? rc : read_tensors(p, f->n_bytes, err);
}
