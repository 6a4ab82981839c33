#include "training/checkpoint.h"

#include "base/file.h"
#include "base/finite.h"
#include "base/mem.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORMAT  "headstart checkpoint"
#define VERSION "1"

enum { NAME_BYTES = 160 };

/* ---- what is in it ----
 * One list of memory serves writing and reading alike. */

typedef struct piece {
    char name[NAME_BYTES];
    enum hst_dtype dtype; /* HST_F32 or HST_F64 */
    void *data;
    size_t n;
} piece;

/* The tensor "progress": whole numbers too are doubles, exact up to 2^53. */
typedef struct progress {
    double step, loss, right, seen, epoch;
    double best_loss; /* -1: none yet; a loss is never negative */
    double best_epoch, n_history;
    double beta1_power, beta2_power; /* Adam's: all optimisers have taken the same steps */
} progress;

/* A row of the tensor "history". */
typedef struct epoch_row {
    double epoch, train_loss, train_accuracy, val_loss, val_accuracy, lr;
} epoch_row;

enum {
    N_PROGRESS = sizeof(progress) / sizeof(double),
    N_EPOCH = sizeof(epoch_row) / sizeof(double)
};

typedef struct pieces {
    piece *at;
    size_t n;
    progress progress;
} pieces;

static void add(pieces *p, const char *prefix, const char *name, float *data, size_t n)
{
    piece *x = &p->at[p->n++];
    *x = (piece){.dtype = HST_F32, .data = data, .n = n};
    snprintf(x->name, sizeof x->name, "%s%s", prefix, name);
}

static void add_optimiser(pieces *p, const char *name, const hst_optimiser *o)
{
    if (o->m)
        add(p, "optimiser/m/", name, o->m, o->n);
    if (o->v)
        add(p, "optimiser/v/", name, o->v, o->n);
}

static void add_all(pieces *p, const hst_checkpoint *c)
{
    const hst_trainer *t = c->trainer;
    char name[32];
    for (size_t i = 0; i < hst_graph_n_params(t->graph); i++) {
        const hst_param *x = hst_graph_param(t->graph, i);
        add(p, "backbone/", x->name, x->data, hst_param_count(x));
    }
    add(p, "head/", "param", t->head.param, t->head.n_params);
    for (size_t i = 0; i < t->n_groups; i++) {
        snprintf(name, sizeof name, "%zu", i);
        add_optimiser(p, name, &t->group[i].optimiser);
    }
    add_optimiser(p, "head", &t->head_optimiser);
    if (t->mean) {
        add(p, "mean/", "backbone", t->mean, hst_learn_count(t->learn));
        add(p, "mean/", "head", t->head_mean, t->head.n_params);
    }
    if (c->best->n) {
        add(p, "best/", "backbone", c->best->param, c->best->n);
        add(p, "best/", "head", c->best->head, t->head.n_params);
    }
    if (c->found_rate)
        p->at[p->n++] = (piece){"learning_rate", HST_F64, c->found_rate, 1};
    p->at[p->n++] = (piece){"progress", HST_F64, &p->progress, N_PROGRESS};
}

/* Ended by pieces_clear, also after a failure. */
static int pieces_make(pieces *p, const hst_checkpoint *c, hst_err *err)
{
    const hst_trainer *t = c->trainer;
    size_t most = hst_graph_n_params(t->graph) + 2 * t->n_groups + 9;
    p->at = hst_alloc(most, sizeof *p->at, err);
    if (!p->at)
        return HST_EMEM;
    add_all(p, c);
    return 0;
}

static void pieces_clear(pieces *p)
{
    free(p->at);
}

static size_t piece_bytes(const piece *x)
{
    return x->n * hst_dtype_bytes(x->dtype);
}

int hst_checkpoint_data(const hst_run *r, char hex[65], hst_err *err)
{
    uint8_t digest[32];
    char text[HST_SHA256_HEX];
    hst_sha256 *h = hst_sha256_new(err);
    int rc = h ? 0 : HST_EMEM;
    for (int c = 0; rc == 0 && c < r->data->n_classes; c++)
        rc = hst_sha256_adds(h, r->data->classes[c], err);
    for (size_t i = 0; rc == 0 && i < r->data->n_photos; i++) {
        const int32_t facts[3] = {r->data->photos[i].label, r->side[i],
                                  r->features->why[i] != NULL};
        rc = hst_sha256_adds(h, hst_digest_text(&r->features->content[i], text), err);
        if (rc == 0)
            rc = hst_sha256_add(h, facts, sizeof facts, err);
    }
    if (rc == 0)
        rc = hst_sha256_end(h, digest, err);
    if (rc == 0)
        hst_hex(digest, hex);
    hst_sha256_free(h);
    return rc;
}

/* ---- writing ---- */

static progress progress_of(const hst_checkpoint *c)
{
    const hst_resume_state *s = c->state;
    const hst_optimiser *o = &c->trainer->head_optimiser;
    return (progress){.step = (double)s->step,
                      .loss = s->loss,
                      .right = s->right,
                      .seen = s->seen,
                      .epoch = s->epoch,
                      .best_loss = isfinite(s->best_loss) ? s->best_loss : -1,
                      .best_epoch = s->best_epoch,
                      .n_history = (double)c->run->n_history,
                      .beta1_power = o->beta1_power,
                      .beta2_power = o->beta2_power};
}

static epoch_row *history_rows(const hst_run *r, hst_err *err)
{
    epoch_row *row = hst_alloc(r->n_history, sizeof *row, err);
    for (size_t i = 0; row && i < r->n_history; i++) {
        const hst_epoch *e = &r->history[i];
        row[i] = (epoch_row){.epoch = e->epoch,
                             .train_loss = e->train_loss,
                             .train_accuracy = e->train_accuracy,
                             .val_loss = e->val_loss,
                             .val_accuracy = e->val_accuracy,
                             .lr = e->lr};
    }
    return row;
}

static enum hst_precision precision_of(const hst_checkpoint *c)
{
    return c->run->backbone->precision;
}

/* Whose bits are the same; in lower precision tables of an instruction set may differ. */
static const char *kernels_of(const hst_checkpoint *c)
{
    const hst_kernels *k = c->ctx->kernels;
    return precision_of(c) == HST_PRECISION_FP32 ? k->isa : k->name;
}

static int write_tensors(const hst_checkpoint *c, const hst_tensor *t, size_t n, const char *path,
                         hst_err *err)
{
    char digest[65], backbone[65];
    hst_meta_pair meta[] = {{"format", FORMAT},
                            {"format_version", VERSION},
                            {"options", c->options},
                            {"data", c->data},
                            {"backbone", backbone},
                            {"kernels", kernels_of(c)},
                            {"version", hst_version()},
                            {NULL, NULL},
                            {NULL, NULL}};
    size_t n_meta = sizeof meta / sizeof *meta - 2;
    if (precision_of(c) != HST_PRECISION_FP32)
        meta[n_meta++] = (hst_meta_pair){"precision", hst_precision_names[precision_of(c)]};
    meta[n_meta++] = (hst_meta_pair){"content_sha256", digest};
    int rc = hst_backbone_identity(c->run->backbone, backbone, err);
    rc = rc ? rc : hst_tensors_digest(t, n, meta, n_meta - 1, "content_sha256", digest, err);
    return rc ? rc : hst_tensors_write(path, t, n, meta, n_meta, err);
}

static hst_tensor named(const char *name, enum hst_dtype dtype, const void *data, size_t n)
{
    return (hst_tensor){.name = name,
                        .dtype = dtype,
                        .n_dims = 1,
                        .dim = {(int64_t)n},
                        .data = data,
                        .n_bytes = n * hst_dtype_bytes(dtype)};
}

int hst_checkpoint_write(const hst_checkpoint *c, const char *path, hst_err *err)
{
    pieces p = {0};
    hst_tensor *tensor = NULL;
    epoch_row *history = NULL;
    int rc = pieces_make(&p, c, err);
    if (rc)
        return rc;
    p.progress = progress_of(c);
    tensor = hst_alloc(p.n + 1, sizeof *tensor, err);
    history = tensor ? history_rows(c->run, err) : NULL;
    if (history) {
        for (size_t i = 0; i < p.n; i++)
            tensor[i] = named(p.at[i].name, p.at[i].dtype, p.at[i].data, p.at[i].n);
        tensor[p.n] = named("history", HST_F64, history, c->run->n_history * N_EPOCH);
        rc = write_tensors(c, tensor, p.n + 1, path, err);
    } else {
        rc = HST_EMEM;
    }
    free(history);
    free(tensor);
    pieces_clear(&p);
    return rc;
}

/* ---- reading ---- */

/* Names the first line in which two lists of options differ. */
static int compare_options(const char *have, const char *want, hst_err *err)
{
    while (*have || *want) {
        int nh = (int)strcspn(have, "\n"), nw = (int)strcspn(want, "\n");
        if (nh != nw || memcmp(have, want, (size_t)nh) != 0)
            return hst_fail(err, HST_EARG,
                            "the run was begun with %.*s and cannot go on with %.*s: give the same "
                            "options, or begin a new run",
                            nh, have, nw, want);
        have += nh + (have[nh] == '\n');
        want += nw + (want[nw] == '\n');
    }
    return 0;
}

/* have: NULL where it is fp32. */
static int compare_precisions(const char *have, enum hst_precision now, hst_err *err)
{
    const char *fp32 = hst_precision_names[HST_PRECISION_FP32], *want = hst_precision_names[now];
    have = have ? have : fp32;
    if (strcmp(have, want) == 0)
        return 0;
    return hst_fail(err, HST_EARG,
                    "the run was begun in precision %s and cannot go on in %s: give the same "
                    "precision, or begin a new run",
                    have, want);
}

static const char *meta_or_empty(const hst_tensors *t, const char *key)
{
    const char *text = hst_tensors_meta(t, key);
    return text ? text : "";
}

static int check_purpose(const hst_checkpoint *c, const hst_tensors *t, hst_err *err)
{
    char digest[65], backbone[65];
    if (strcmp(meta_or_empty(t, "format"), FORMAT) != 0 ||
        strcmp(meta_or_empty(t, "format_version"), VERSION) != 0)
        return hst_fail(err, HST_EMODEL, "not a checkpoint of this version of the program");
    int rc = hst_tensors_digest_of(t, "content_sha256", digest, err);
    if (rc)
        return rc;
    if (strcmp(digest, meta_or_empty(t, "content_sha256")) != 0)
        return hst_fail(err, HST_EMODEL, "the checkpoint is damaged: its content has SHA-256 %s",
                        digest);
    rc = compare_options(meta_or_empty(t, "options"), c->options, err);
    rc = rc ? rc : compare_precisions(hst_tensors_meta(t, "precision"), precision_of(c), err);
    if (rc)
        return rc;
    rc = hst_backbone_identity(c->run->backbone, backbone, err);
    if (rc)
        return rc;
    if (strcmp(meta_or_empty(t, "backbone"), backbone) != 0)
        return hst_fail(err, HST_EARG, "the run was begun with another backbone");
    if (strcmp(meta_or_empty(t, "data"), c->data) != 0)
        return hst_fail(err, HST_EARG,
                        "the photos, or which of them are kept aside, are not those that the run "
                        "was begun with: bring them back, or begin a new run");
    return 0;
}

/* What changes no more than last bits. */
static void compare_origins(const hst_checkpoint *c, const hst_tensors *t)
{
    const struct {
        const char *key, *now;
    } origin[] = {{"kernels", kernels_of(c)}, {"version", hst_version()}};
    for (size_t i = 0; i < sizeof origin / sizeof *origin; i++) {
        const char *then = meta_or_empty(t, origin[i].key);
        if (strcmp(then, origin[i].now) != 0)
            hst_log(c->ctx, HST_LOG_WARN,
                    "the run was begun with %s %s and goes on with %s: the result may differ from "
                    "that of one go in its last bits",
                    origin[i].key, then, origin[i].now);
    }
}

static int is_finite(const piece *x)
{
    const double *d = x->data;
    if (x->dtype == HST_F32)
        return hst_all_finite(x->data, x->n);
    for (size_t i = 0; i < x->n; i++)
        if (!isfinite(d[i]))
            return 0;
    return 1;
}

static int take(const hst_tensors *t, const piece *x, hst_err *err)
{
    const hst_tensor *have = hst_tensors_find(t, x->name);
    if (!have || have->dtype != x->dtype || have->n_bytes != piece_bytes(x))
        return hst_fail(err, HST_EMODEL, "tensor '%s' is missing or has another size", x->name);
    memcpy(x->data, have->data, have->n_bytes);
    return is_finite(x) ? 0
                        : hst_fail(err, HST_EMODEL, "tensor '%s' holds no finite number", x->name);
}

/* A whole number from 0 to most. */
static int whole(double v, double most)
{
    return v >= 0 && v <= most && v == floor(v);
}

static int read_progress(const hst_checkpoint *c, const progress *p, hst_err *err)
{
    const double most = 9007199254740992.0; /* 2^53 */
    int epochs = c->run->settings.epochs;
    if (c->found_rate && !(*c->found_rate > 0))
        return hst_fail(err, HST_EMODEL, "the checkpoint's learning rate makes no sense");
    if (!whole(p->step, most) || !whole(p->epoch, epochs) || !whole(p->best_epoch, p->epoch) ||
        !whole(p->n_history, (double)epochs + 1))
        return hst_fail(err, HST_EMODEL, "the checkpoint's progress makes no sense");
    *c->state = (hst_resume_state){.step = (uint64_t)p->step,
                                   .loss = p->loss,
                                   .right = p->right,
                                   .seen = p->seen,
                                   .epoch = (int)p->epoch,
                                   .best_loss = p->best_loss < 0 ? (double)INFINITY : p->best_loss,
                                   .best_epoch = (int)p->best_epoch};
    return 0;
}

static int keep_history(const hst_checkpoint *c, const epoch_row *row, size_t n, hst_err *err)
{
    int rc = 0;
    c->run->n_history = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        hst_epoch e = {.epoch = (int)row[i].epoch,
                       .train_loss = row[i].train_loss,
                       .train_accuracy = row[i].train_accuracy,
                       .val_loss = row[i].val_loss,
                       .val_accuracy = row[i].val_accuracy,
                       .lr = row[i].lr};
        rc = hst_run_add_epoch(c->run, &e, err);
    }
    return rc;
}

static int read_history(const hst_checkpoint *c, const hst_tensors *t, size_t n, hst_err *err)
{
    epoch_row *row = hst_alloc(n, sizeof *row, err);
    piece x = {"history", HST_F64, row, n * N_EPOCH};
    int rc = row ? take(t, &x, err) : HST_EMEM;
    if (rc == 0)
        rc = keep_history(c, row, n, err);
    free(row);
    return rc;
}

static void set_powers(hst_trainer *t, const progress *p)
{
    for (size_t i = 0; i <= t->n_groups; i++) {
        hst_optimiser *o = i < t->n_groups ? &t->group[i].optimiser : &t->head_optimiser;
        o->beta1_power = p->beta1_power;
        o->beta2_power = p->beta2_power;
    }
}

static int read_all(const hst_checkpoint *c, const hst_tensors *t, hst_err *err)
{
    pieces p = {0};
    int rc = check_purpose(c, t, err);
    if (rc == 0)
        rc = pieces_make(&p, c, err);
    for (size_t i = 0; rc == 0 && i < p.n; i++)
        rc = take(t, &p.at[i], err);
    if (rc == 0)
        rc = read_progress(c, &p.progress, err);
    if (rc == 0)
        rc = read_history(c, t, (size_t)p.progress.n_history, err);
    if (rc == 0)
        set_powers(c->trainer, &p.progress);
    if (rc == 0)
        compare_origins(c, t);
    pieces_clear(&p);
    hst_learn_changed(c->trainer->learn);
    return rc;
}

int hst_checkpoint_read(const hst_checkpoint *c, const char *path, hst_err *err)
{
    hst_err why = {0};
    hst_tensors *t = hst_tensors_read(path, &why);
    int rc = t ? read_all(c, t, &why) : why.code;
    if (rc && t)
        (void)hst_err_at(&why, path);
    hst_tensors_free(t);
    if (rc == 0)
        return 0;
    return hst_fail(err, rc, "%s%s", why.msg,
                    rc == HST_EMODEL ? "; remove the file to begin the run again" : "");
}

/* ---- on all ranks ---- */

static int share_history(const hst_checkpoint *c, hst_ranks *r, size_t n, hst_err *err)
{
    epoch_row *row = r->rank == 0 ? history_rows(c->run, err) : hst_alloc(n, sizeof *row, err);
    int rc = hst_ranks_agree(r, row ? 0 : HST_EMEM, err);
    if (rc == 0)
        rc = hst_ranks_broadcast(r, row, n * sizeof *row, err);
    if (rc == 0 && r->rank > 0)
        rc = keep_history(c, row, n, err);
    free(row);
    return rc;
}

int hst_checkpoint_share(const hst_checkpoint *c, hst_ranks *r, hst_err *err)
{
    pieces p = {0};
    int rc = hst_ranks_agree(r, pieces_make(&p, c, err), err);
    p.progress = progress_of(c);
    for (size_t i = 0; rc == 0 && i < p.n; i++)
        rc = hst_ranks_broadcast(r, p.at[i].data, piece_bytes(&p.at[i]), err);
    if (rc == 0)
        rc = read_progress(c, &p.progress, err);
    if (rc == 0)
        rc = share_history(c, r, (size_t)p.progress.n_history, err);
    if (rc == 0)
        set_powers(c->trainer, &p.progress);
    pieces_clear(&p);
    hst_learn_changed(c->trainer->learn);
    return rc;
}

int hst_checkpoint_alike(const hst_ctx *ctx, const hst_run *run, hst_err *err)
{
    char data[65], backbone[65];
    hst_ranks *r = ctx->ranks;
    hst_buf options = HST_BUF(4096);
    if (!r)
        return 0;
    int rc = hst_checkpoint_data(run, data, err);
    if (rc == 0)
        rc = hst_backbone_identity(run->backbone, backbone, err);
    if (rc == 0)
        rc = hst_settings_lines(&run->settings, &options, err);
    rc = hst_ranks_agree(r, rc, err);
    if (rc == 0)
        rc = hst_ranks_same(r, "list of options", options.p, options.n, err);
    if (rc == 0)
        rc = hst_ranks_same(r, "set of photos", data, sizeof data, err);
    if (rc == 0)
        rc = hst_ranks_same(r, "backbone", backbone, sizeof backbone, err);
    hst_buf_free(&options);
    return rc;
}

static int claim(const hst_settings *o, hst_err *err)
{
    if (!o->fine_tune || !o->run_dir)
        return 0;
    char *path = hst_path_join(o->run_dir, HST_CHECKPOINT_NAME, err);
    int rc = path ? 0 : HST_EMEM;
    hst_out_sweep(o->run_dir, (const char *const[]){HST_CHECKPOINT_NAME}, 1);
    if (rc == 0 && !o->resume && unlink(path) != 0 && errno != ENOENT)
        rc = hst_fail_errno(err, HST_EIO, errno, "%s of an earlier run cannot be removed", path);
    free(path);
    return rc;
}

int hst_checkpoint_claim(const hst_ctx *ctx, const hst_settings *o, hst_err *err)
{
    return hst_ranks_agree(ctx->ranks, hst_ranks_rank(ctx->ranks) ? 0 : claim(o, err), err);
}
