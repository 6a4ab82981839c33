/* fuzz_metadata - libFuzzer: the texts in a model file, through the model loader.
 *
 * The input is five texts with a zero byte between them: arch, prepare, labels, source, record.
 * They are put into a model file around a small network, with a digest that is right, so that the
 * loader goes on to read them. The last text is read as a config.json too. */
#include "fuzz.h"

#include "backbones/cnn.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { N_TEXTS = 5, CLASSES = 3, MOST_TENSORS = 512, MOST_BYTES = 1 << 20 };

static const char *const keys[N_TEXTS] = {"arch", "prepare", "labels", "source", "record"};

/* The tensors of a network of width 0.1 with a head for three classes, all zero. */
typedef struct network {
    hst_graph *graph;
    hst_tensor tensor[MOST_TENSORS];
    size_t n;
    float *head; /* [dim][CLASSES], and the bias behind it */
} network;

static void add(network *w, const char *prefix, const hst_param *p)
{
    char *name = NULL;
    if (w->n == MOST_TENSORS || asprintf(&name, "%s%s", prefix, p->name) < 0)
        __builtin_trap();
    hst_tensor *t = &w->tensor[w->n++];
    *t = (hst_tensor){.name = name, .dtype = HST_F32, .n_dims = p->n_dims, .data = p->data};
    for (int i = 0; i < p->n_dims; i++)
        t->dim[i] = p->dim[i];
    t->n_bytes = hst_param_count(p) * sizeof(float);
}

static void network_make(network *w)
{
    static const hst_arch arch = {.family = "mobilenet_v2",
                                  .size = {32, 32},
                                  .norm = {{0}, {1, 1, 1}},
                                  .cnn = {0.1, HST_PAD_TF, 1e-3}};
    int dim = 0;
    w->graph = hst_arch_graph(&arch, NULL);
    if (!w->graph)
        __builtin_trap();
    for (size_t i = 0; i < hst_graph_n_params(w->graph); i++) {
        const hst_param *p = hst_graph_param(w->graph, i);
        add(w, "backbone/", p);
        dim = p->n_dims == 1 ? p->dim[0] : dim; /* the last batch norm is that of the features */
    }
    hst_param kernel = {.name = "kernel", .n_dims = 2, .dim = {dim, CLASSES}};
    hst_param bias = {.name = "bias", .n_dims = 1, .dim = {CLASSES}};
    w->head = calloc((size_t)(dim + 1) * CLASSES, sizeof *w->head);
    kernel.data = w->head;
    bias.data = w->head;
    add(w, "head/", &kernel);
    add(w, "head/", &bias);
}

static void network_end(network *w)
{
    for (size_t i = 0; i < w->n; i++)
        free((void *)w->tensor[i].name);
    free(w->head);
    hst_graph_free(w->graph);
}

static void put(int fd, const void *p, size_t n)
{
    if (n && write(fd, p, n) != (ssize_t)n)
        __builtin_trap();
}

/* 0: the file is in fd; otherwise no such file can be written (text that is not UTF-8). */
static int write_model(int fd, const network *w, char *const text[N_TEXTS])
{
    char digest[65] = "";
    hst_buf head = HST_BUF(1 << 24);
    hst_meta_pair meta[N_TEXTS + 3] = {{"content_sha256", digest},
                                       {"format", HST_MODEL_FORMAT},
                                       {"format_version", HST_MODEL_VERSION}};
    for (int i = 0; i < N_TEXTS; i++)
        meta[3 + i] = (hst_meta_pair){keys[i], text[i]};
    int rc = hst_tensors_digest(w->tensor, w->n, meta, N_TEXTS + 3, "content_sha256", digest, NULL);
    rc = rc ? rc : hst_tensors_head(w->tensor, w->n, meta, N_TEXTS + 3, &head, NULL);
    if (rc == 0) {
        put(fd, head.p, head.n);
        for (size_t i = 0; i < w->n; i++)
            put(fd, w->tensor[i].data, w->tensor[i].n_bytes);
    }
    hst_buf_free(&head);
    return rc;
}

static void load_model(const char *path)
{
    hst_err err = {0};
    hst_config cfg = hst_config_default();
    cfg.threads = 1;
    hst_ctx *ctx = hst_open(&cfg, &err);
    hst_model *m = ctx ? hst_model_load(ctx, path, &err) : NULL;
    if ((m == NULL) != (err.msg[0] != 0) || (!m && err.code != HST_EMODEL))
        __builtin_trap(); /* a refusal has a reason, a model has none */
    for (int i = 0; m && i < hst_model_classes(m); i++)
        if (!hst_model_label(m, i)[0])
            __builtin_trap();
    hst_model_free(m);
    hst_close(ctx);
}

static void read_config(const char *text)
{
    hst_arch arch = {.family = "mobilenet_v2",
                     .size = {224, 224},
                     .norm = HST_NORM_PM1,
                     .cnn = {1, HST_PAD_TF, 1e-3}};
    hst_err err = {0};
    json_t *o = hst_json_object(text, "config.json", &err);
    int rc = o ? hst_huggingface_config(o, &arch, &err) : 0;
    rc = o ? hst_timm_config(o, &arch, &err) && rc : 0;
    (void)rc;
    json_decref(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char none[] = "";
    char path[64], *text[N_TEXTS];
    if (n > MOST_BYTES)
        return 0;
    char *copy = malloc(n + 1);
    memcpy(copy, n ? bytes : (const uint8_t *)none, n);
    copy[n] = 0;
    char *at = copy;
    for (int i = 0; i < N_TEXTS; i++) {
        text[i] = at;
        char *end = memchr(at, 0, (size_t)(copy + n + 1 - at));
        at = end < copy + n ? end + 1 : copy + n;
    }
    network w = {0};
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    network_make(&w);
    if (fd < 0)
        __builtin_trap();
    if (write_model(fd, &w, text) == 0)
        load_model(path);
    read_config(text[N_TEXTS - 1]);
    network_end(&w);
    close(fd);
    free(copy);
    return 0;
}
