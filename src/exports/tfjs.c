/* tfjs.c - TensorFlow.js: a graph model, which is a GraphDef as JSON (model.json) and its weights
 * in shards beside it, and a page that shows it (tfjs/: page.html, prepare.js, look.js).
 *
 * Sources: tfjs-converter's src/data/compiled_api.ts, tfjs-core's src/io/types.ts */
#include "base/file.h"
#include "base/json.h"
#include "exports/graphdef.h"
#include "exports/narrow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { MOST_BYTES = 1 << 26, SHARD_BYTES = 4 << 20, PRODUCER = 440 };
/* index.html, deflated (scripts/embed). */
extern const unsigned char hst_tfjs_page[];
extern const unsigned long hst_tfjs_page_bytes, hst_tfjs_page_packed_bytes;

/* ---- the graph ---- */

static const char *type_name(int64_t type)
{
    return type == HST_TF_UINT8 ? "DT_UINT8" : type == HST_TF_INT32 ? "DT_INT32" : "DT_FLOAT";
}

/* As attributes have texts: in base64. */
static void text(hst_buf *b, const char *s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t n = strlen(s);
    hst_buf_puts(b, "\"");
    for (size_t i = 0; i < n; i += 3) {
        char four[] = "====";
        const size_t left = n - i < 3 ? n - i : 3;
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (k < left ? (unsigned char)s[i + k] : 0u);
        for (size_t k = 0; k <= left; k++)
            four[k] = digits[v >> (18 - 6 * k) & 63];
        hst_buf_puts(b, four);
    }
    hst_buf_puts(b, "\"");
}

static void shape(hst_buf *b, const int64_t *dim, int n)
{
    hst_buf_puts(b, "{\"dim\":[");
    for (int i = 0; i < n; i++)
        hst_buf_printf(b, "%s{\"size\":\"%lld\"}", i ? "," : "", (long long)dim[i]);
    hst_buf_puts(b, "]}");
}

static void attribute(hst_buf *b, const hst_tf_attr *a)
{
    hst_buf_printf(b, "\"%s\":{", a->name);
    switch (a->kind) {
    case HST_TF_IS_TYPE:
        hst_buf_printf(b, "\"type\":\"%s\"", type_name(a->i[0]));
        break;
    case HST_TF_IS_INT:
        hst_buf_printf(b, "\"i\":\"%lld\"", (long long)a->i[0]);
        break;
    case HST_TF_IS_BOOL:
        hst_buf_printf(b, "\"b\":%s", a->i[0] ? "true" : "false");
        break;
    case HST_TF_IS_TEXT:
        hst_buf_puts(b, "\"s\":");
        text(b, a->text[0]);
        break;
    case HST_TF_IS_SHAPE:
        hst_buf_puts(b, "\"shape\":");
        shape(b, a->i, a->n);
        break;
    case HST_TF_IS_INTS:
        hst_buf_puts(b, "\"list\":{\"i\":[");
        for (int i = 0; i < a->n; i++)
            hst_buf_printf(b, "%s\"%lld\"", i ? "," : "", (long long)a->i[i]);
        hst_buf_puts(b, "]}");
        break;
    case HST_TF_IS_TEXTS:
        hst_buf_puts(b, "\"list\":{\"s\":[");
        for (int i = 0; i < a->n; i++) {
            hst_buf_puts(b, i ? "," : "");
            text(b, a->text[i]);
        }
        hst_buf_puts(b, "]}");
        break;
    }
    hst_buf_puts(b, "}");
}

static void node(hst_buf *b, const hst_tf_node *n)
{
    hst_buf_printf(b, ",\n{\"name\":\"%s\",\"op\":\"%s\",\"input\":[", n->name, n->op);
    for (int i = 0; i < n->n_in; i++)
        hst_buf_printf(b, "%s\"%s\"", i ? "," : "", n->in[i]);
    hst_buf_puts(b, "],\"attr\":{");
    for (int i = 0; i < n->n_attrs; i++) {
        hst_buf_puts(b, i ? "," : "");
        attribute(b, &n->attr[i]);
    }
    hst_buf_puts(b, "}}");
}

/* Its numbers are a weight of the same name. */
static void constant(hst_buf *b, const hst_tf_tensor *t)
{
    const char *type = type_name(t->data ? HST_TF_FLOAT : HST_TF_INT32);
    hst_buf_printf(b,
                   "{\"name\":\"%s\",\"op\":\"Const\",\"attr\":{\"dtype\":{\"type\":\"%s\"},"
                   "\"value\":{\"tensor\":{\"dtype\":\"%s\",\"tensorShape\":",
                   t->name, type, type);
    shape(b, t->dim, t->n_dims);
    hst_buf_puts(b, "}}}}");
}

static void topology(hst_buf *b, const hst_tf *g)
{
    hst_buf_puts(b, "{\"node\":[\n");
    for (size_t i = 0; i < g->n_tensors; i++) {
        hst_buf_puts(b, i ? ",\n" : "");
        constant(b, &g->tensor[i]);
    }
    for (size_t i = 0; i < g->n_nodes; i++)
        node(b, &g->node[i]);
    hst_buf_printf(b, "],\n\"versions\":{\"producer\":%d}}", PRODUCER);
}

/* ---- weights ---- */

/* In float16 depthwise and small kernels would make most of the error, as in TFLite's files. */
static int is_half(const hst_exporting *x, const hst_tf_tensor *t)
{
    enum { LEAST = 16384 };
    return x->weights == HST_WEIGHTS_FLOAT16 && t->data && hst_tf_count(t) >= LEAST &&
           t->dim[t->n_dims - 1] != 1;
}

static size_t bytes_of(const hst_exporting *x, const hst_tf_tensor *t)
{
    return hst_tf_count(t) * (is_half(x, t) ? 2 : 4);
}

static void manifest(hst_buf *b, const hst_tf *g, const hst_exporting *x, int n_shards)
{
    hst_buf_puts(b, "[{\"paths\":[");
    for (int i = 0; i < n_shards; i++)
        hst_buf_printf(b, "%s\"group1-shard%dof%d.bin\"", i ? "," : "", i + 1, n_shards);
    hst_buf_puts(b, "],\"weights\":[\n");
    for (size_t i = 0; i < g->n_tensors; i++) {
        const hst_tf_tensor *t = &g->tensor[i];
        hst_buf_printf(b, "%s{\"name\":\"%s\",\"shape\":[", i ? ",\n" : "", t->name);
        for (int k = 0; k < t->n_dims; k++)
            hst_buf_printf(b, "%s%lld", k ? "," : "", (long long)t->dim[k]);
        hst_buf_printf(b, "],\"dtype\":\"%s\"%s}", t->data ? "float32" : "int32",
                       is_half(x, t) ? ",\"quantization\":{\"dtype\":\"float16\","
                                       "\"original_dtype\":\"float32\"}"
                                     : "");
    }
    hst_buf_puts(b, "]}]");
}

/* Shards being written, each full before the next begins. */
typedef struct shards {
    const char *folder;
    hst_out *out;
    size_t left; /* bytes that fit into the one that is open */
    int n, of;
} shards;

static int next_shard(shards *s, hst_err *err)
{
    char name[64];
    int rc = s->out ? hst_out_commit(s->out, err) : 0;
    hst_out_close(s->out);
    s->out = NULL;
    snprintf(name, sizeof name, "group1-shard%dof%d.bin", ++s->n, s->of);
    char *path = rc ? NULL : hst_path_join(s->folder, name, err);
    rc = rc ? rc : path ? hst_out_open(&s->out, path, err) : HST_EMEM;
    s->left = SHARD_BYTES;
    free(path);
    return rc;
}

static int put(shards *s, const uint8_t *p, size_t n, hst_err *err)
{
    int rc = 0;
    while (rc == 0 && n) {
        rc = s->left ? 0 : next_shard(s, err);
        const size_t part = n < s->left ? n : s->left;
        rc = rc ? rc : hst_out_write(s->out, p, part, err);
        s->left -= part;
        p += part;
        n -= part;
    }
    return rc;
}

static int put_halves(shards *s, const hst_tf_tensor *t, hst_err *err)
{
    const size_t n = hst_tf_count(t);
    uint16_t *half = hst_alloc_raw(n, sizeof *half, err);
    for (size_t i = 0; half && i < n; i++)
        half[i] = hst_half_of(t->data[i]);
    int rc = half ? put(s, (const uint8_t *)half, n * sizeof *half, err) : HST_EMEM;
    free(half);
    return rc;
}

static int write_shards(const hst_tf *g, const hst_exporting *x, int n, hst_err *err)
{
    shards s = {.folder = x->path, .of = n};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < g->n_tensors; i++) {
        const hst_tf_tensor *t = &g->tensor[i];
        const void *p = t->data ? (const void *)t->data : (const void *)t->whole;
        rc = is_half(x, t) ? put_halves(&s, t, err) : put(&s, p, bytes_of(x, t), err);
    }
    rc = rc || !s.out ? rc : hst_out_commit(s.out, err);
    hst_out_close(s.out);
    return rc;
}

/* ---- model.json ---- */

static void end(hst_buf *b, const char *name, int64_t type, const hst_tf_attr *dims)
{
    hst_buf_printf(b, "{\"%s\":{\"name\":\"%s:0\",\"dtype\":\"%s\",\"tensorShape\":", name, name,
                   type_name(type));
    shape(b, dims->i, dims->n);
    hst_buf_puts(b, "}}");
}

static void signature(hst_buf *b, const hst_exporting *x)
{
    const hst_tf_attr in = hst_tf_input_shape(x), out = hst_tf_output_shape(x);
    hst_buf_puts(b, "{\"inputs\":");
    end(b, "image", x->ends.uint8 ? HST_TF_UINT8 : HST_TF_FLOAT, &in);
    hst_buf_puts(b, ",\"outputs\":");
    end(b, hst_tf_output(x), HST_TF_FLOAT, &out);
    hst_buf_puts(b, "}");
}

/* What the model says of itself, where TensorFlow.js leaves room for such. */
static int metadata(hst_buf *b, const hst_exporting *x, hst_err *err)
{
    char *card = hst_json_dump(json_pack("{s:s}", "card", x->about->card), err);
    if (!card)
        return HST_EMEM;
    card[strlen(card) - 1] = 0; /* to be gone on with */
    hst_buf_printf(b, "%s,\n\"labels\":%s,\n\"preprocess\":%s,\n\"model\":%s}", card,
                   x->about->labels, x->about->preprocess, x->about->model);
    free(card);
    return 0;
}

static int write_model(const hst_tf *g, const hst_exporting *x, int n_shards, const char *path,
                       hst_err *err)
{
    hst_buf b = HST_BUF(MOST_BYTES);
    hst_buf_printf(&b,
                   "{\"format\":\"graph-model\",\"generatedBy\":\"headstart\","
                   "\"convertedBy\":\"headstart %s\",\n\"signature\":",
                   hst_version());
    signature(&b, x);
    hst_buf_puts(&b, ",\n\"userDefinedMetadata\":");
    int rc = metadata(&b, x, err);
    hst_buf_puts(&b, ",\n\"modelTopology\":");
    topology(&b, g);
    hst_buf_puts(&b, ",\n\"weightsManifest\":");
    manifest(&b, g, x, n_shards);
    hst_buf_puts(&b, "}\n");
    rc = rc ? rc : hst_buf_check(&b, err);
    rc = rc ? rc : hst_file_write(path, b.p, b.n, err);
    hst_buf_free(&b);
    return rc;
}

/* ---- the folder ---- */

static int write_page(const char *path, hst_err *err)
{
    uLongf n = hst_tfjs_page_bytes;
    uint8_t *page = hst_alloc(n, 1, err);
    int rc = page ? 0 : HST_EMEM;
    if (page && uncompress(page, &n, hst_tfjs_page, hst_tfjs_page_packed_bytes) != Z_OK)
        rc = hst_fail(err, HST_EMEM, "out of memory: the page is not unpacked");
    rc = rc ? rc : hst_file_write(path, page, n, err);
    free(page);
    return rc;
}

static int write_folder(const hst_exporting *x, hst_err *err)
{
    hst_tf g = {.fuses = 1};
    char *model = hst_path_join(x->path, "model.json", err);
    char *page = hst_path_join(x->path, "index.html", err);
    int rc = model && page ? hst_tf_begin(&g, err) : HST_EMEM;
    rc = rc ? rc : hst_tf_steps(&g, x);
    uint64_t bytes = 0;
    for (size_t i = 0; i < g.n_tensors; i++)
        bytes += bytes_of(x, &g.tensor[i]);
    const int n = (int)((bytes + SHARD_BYTES - 1) / SHARD_BYTES);
    rc = rc ? rc : write_shards(&g, x, n, err);
    rc = rc ? rc : write_model(&g, x, n, model, err);
    rc = rc ? rc : write_page(page, err);
    hst_tf_end(&g);
    free(model);
    free(page);
    return rc;
}

const hst_exporter hst_exporter_tfjs = {.name = "tfjs",
                                        .suffix = "-tfjs",
                                        .summary = "browsers (TensorFlow.js), with a page",
                                        .is_folder = 1,
                                        .tolerance = 1e-4,
                                        .weights = 1 << HST_WEIGHTS_FLOAT16,
                                        .usual = {.uint8 = 1},
                                        .can = {1, 1, 1, 1},
                                        .write = write_folder,
                                        .ask = hst_ask_read_back};
