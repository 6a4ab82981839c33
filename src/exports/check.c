/* check.c - does what was written give the model's answers? Made-up pictures of the network's size
 * go through the model, in float32, and through what lies there. */
#include "exports/photos.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/random.h"
#include "evaluation/metrics.h"
#include "formats/convert.h"
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "nn/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PICTURES = 16 };

/* ---- pictures ---- */

/* Soft patches of colour, and on every other picture noise: photos are between the two. */
static void draw(uint8_t *rgb, int height, int width, uint32_t number)
{
    enum { CELLS = 6 };
    uint8_t cell[CELLS + 1][CELLS + 1][3];
    hst_rng r = hst_rng_new(1, HST_RNG_PROBES, number, 0);
    for (int i = 0; i < (CELLS + 1) * (CELLS + 1) * 3; i++)
        (&cell[0][0][0])[i] = (uint8_t)hst_rng_below(&r, 256);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const int cy = y * CELLS / height, cx = x * CELLS / width;
            const int fy = y * CELLS * 256 / height % 256, fx = x * CELLS * 256 / width % 256;
            const int noise = number % 2 ? (int)hst_rng_below(&r, 65) - 32 : 0;
            for (int c = 0; c < 3; c++) {
                const int top = cell[cy][cx][c] * (256 - fx) + cell[cy][cx + 1][c] * fx;
                const int low = cell[cy + 1][cx][c] * (256 - fx) + cell[cy + 1][cx + 1][c] * fx;
                const int v = (top * (256 - fy) + low * fy) / 65536 + noise;
                *rgb++ = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
            }
        }
}

/* Made up, or, where there are photos, of them. */
static int probes_make(hst_probes *p, const hst_exporting *x, const hst_export_photos *from,
                       hst_err *err)
{
    const int measures = from && from->n_measures;
    const size_t *photo = !from ? NULL : measures ? from->measures : from->calibrates;
    const size_t all = !from ? 0 : measures ? from->n_measures : from->n_calibrates;
    size_t some[PICTURES], n = all < PICTURES ? all : PICTURES;
    for (size_t i = 0; i < n; i++)
        some[i] = photo[i * all / n];
    int rc = from ? hst_export_pictures(x->ctx, x->model, from, some, &n, p, err) : 0;
    if (rc == 0 && from && n == 0)
        rc = hst_fail(err, HST_EDATA, "none of the photos to check with can be used");
    if (from)
        return rc;
    rc = hst_probes_new(x->model, PICTURES, p, err);
    for (uint32_t i = 0; rc == 0 && i < PICTURES; i++)
        draw(p->picture + i * (size_t)p->height * (size_t)p->width * 3, p->height, p->width, i);
    return rc;
}

/* ---- a model's answers ---- */

typedef struct asking {
    const hst_answering *of;
    const hst_plan *plan;
    const hst_probes *probes;
    int logits;
    float *out; /* [n][classes] */
} asking;

static void scale(const hst_pixel_norm *norm, const uint8_t *rgb, size_t n, float *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = ((float)rgb[i] - norm->mean[i % 3]) / norm->std[i % 3];
}

/* Picture number i. */
static int answer(void *arg, size_t i, int thread, hst_err *err)
{
    const asking *a = arg;
    const hst_model *m = a->of->head;
    const size_t n = (size_t)a->probes->height * (size_t)a->probes->width * 3;
    float *x = hst_alloc(n + (size_t)m->dim, sizeof *x, err), *y = x + n;
    hst_work *w = x ? hst_work_new(a->plan, err) : NULL;
    float *out = a->out + i * (size_t)m->n_classes;
    (void)thread;
    if (w) {
        scale(&a->of->norm, a->probes->picture + i * n, n, x);
        hst_plan_run(a->plan, w, x, 1, y);
        hst_model_head(m, y, out);
    }
    for (int c = 0; w && a->logits && c < m->n_classes; c++)
        out[c] = (float)hst_model_logit(m, y, c);
    hst_work_free(w);
    free(x);
    return w ? 0 : HST_EMEM;
}

/* In float32, whatever the precision of the model's features. */
int hst_export_answers(const hst_exporting *x, const hst_answering *of, const hst_probes *p,
                       float *out, hst_err *err)
{
    hst_plan *plan = hst_plan_new(of->graph, x->ctx->kernels, err);
    asking a = {of, plan, p, x->ends.logits, out};
    int rc = plan ? hst_executor_try(x->ctx->executor, (size_t)p->n, answer, &a, err) : HST_EMEM;
    hst_plan_free(plan);
    return rc;
}

static hst_answering answering(const hst_model *m)
{
    const hst_branch *b = hst_model_plain(m);
    return (hst_answering){b->backbone->graph, b->view[0].prep.norm, m};
}

static int answers(const hst_exporting *x, const hst_model *m, const hst_probes *p, float *out,
                   hst_err *err)
{
    const hst_answering of = answering(m);
    return hst_export_answers(x, &of, p, out, err);
}

struct hst_expected {
    const hst_export_photos *photos; /* NULL: none */
    hst_probes probes;
    hst_answering of;
    hst_plan *plan;
    asking asking;
    hst_async *answers; /* into probes.answer, in the background */
};

hst_expected *hst_export_expect(const hst_exporting *x, const hst_export_photos *from, hst_err *err)
{
    hst_expected *e = hst_alloc(1, sizeof *e, err);
    int rc = e ? probes_make(&e->probes, x, from, err) : HST_EMEM;
    if (rc == 0) {
        e->photos = from;
        e->of = answering(x->model);
        e->plan = hst_plan_new(e->of.graph, x->ctx->kernels, err);
        e->answers = e->plan ? hst_async_new(x->ctx->executor, err) : NULL;
    }
    if (rc || !e->answers) {
        hst_expected_free(e);
        return NULL;
    }
    e->asking = (asking){&e->of, e->plan, &e->probes, x->ends.logits, e->probes.answer};
    hst_async_begin(e->answers, (size_t)e->probes.n, answer, &e->asking);
    return e;
}

void hst_expected_free(hst_expected *e)
{
    if (!e)
        return;
    hst_async_free(e->answers);
    hst_plan_free(e->plan);
    hst_probes_free(&e->probes);
    free(e);
}

/* ---- read back ---- */

/* Logits are the head's, whatever the file's last step is: only probabilities are read back. */
static int ask_model(const hst_exporting *x, const char *converted, hst_probes *p, hst_err *err)
{
    hst_ctx quiet = hst_ctx_quiet(x->ctx);
    hst_tensors *t = hst_tensors_read(converted, err);
    hst_model *m = t ? hst_model_exported(&quiet, t, err) : NULL;
    int rc = m ? 0 : err->code;
    if (rc == 0 && (m->n_classes != p->classes || !hst_model_plain(m)))
        rc = hst_fail(err, HST_EMODEL, "it is another model");
    rc = rc ? rc : answers(x, m, p, p->found, err);
    hst_model_free(m);
    hst_tensors_free(t);
    return rc;
}

int hst_ask_read_back(const hst_exporting *x, hst_probes *p, char how[96], hst_err *err)
{
    char *to = hst_path_join(x->work, "read.safetensors", err);
    hst_err why = {0};
    int rc = to ? hst_convert_ready(x->ctx, &why) : HST_EMEM;
    if (rc == HST_EPROC) {
        snprintf(how, 96, "%s is not there", HST_CONVERT_HELPER);
        free(to);
        return 0;
    }
    rc = rc ? rc : hst_convert(x->ctx, x->path, to, err);
    rc = rc ? rc : ask_model(x, to, p, err);
    free(to);
    if (rc == HST_EMODEL) {
        why = *err;
        return hst_fail(err, HST_EMODEL, "what was written cannot be read back: %s", why.msg);
    }
    snprintf(how, 96, "read back");
    return rc ? rc : 1;
}

/* ---- the format's own runtime ---- */

static int write_pictures(const hst_probes *p, const char *path, hst_err *err)
{
    const size_t n = (size_t)p->height * (size_t)p->width * 3;
    hst_out *o = NULL;
    float *row = hst_alloc(n, sizeof *row, err);
    int rc = row ? hst_out_open(&o, path, err) : HST_EMEM;
    rc = rc ? rc : hst_npy_header(o, (size_t)p->n, n, 0, err);
    for (size_t i = 0; rc == 0 && i < (size_t)p->n; i++) {
        for (size_t k = 0; k < n; k++)
            row[k] = p->picture[i * n + k];
        rc = hst_out_write(o, row, n * sizeof *row, err);
    }
    rc = rc ? rc : hst_out_commit(o, err);
    hst_out_close(o);
    free(row);
    return rc;
}

/* Answers as float32, one behind the other. */
static int read_answers(const char *path, hst_probes *p, hst_err *err)
{
    const size_t want = (size_t)p->n * (size_t)p->classes * sizeof *p->found;
    uint8_t *bytes = NULL;
    size_t n = 0;
    int rc = hst_file_read(path, want, HST_EPROC, &bytes, &n, err);
    if (rc == 0 && n != want)
        rc = hst_fail(err, HST_EPROC, "%zu bytes of answers, expected %zu", n, want);
    if (rc == 0)
        memcpy(p->found, bytes, n);
    else
        hst_err_at(err, "the runtime's answers");
    free(bytes);
    return rc;
}

/* 1: it answered; 0: it is not installed. */
static int ask_runtime(const hst_exporting *x, const hst_exporter *f, hst_probes *p, char who[96],
                       hst_err *err)
{
    enum { LIMIT_S = 600, ABSENT = 3 };
    static const char begin[] =
        "import sys\n"
        "sys.path[:] = [p for p in sys.path if p]\n" /* nothing of the current folder */
        "from importlib.util import find_spec\n"
        "found = any(map(find_spec, sys.argv[4].split(' or ')))\n"
        "sys.exit(3) if not find_spec('numpy') or not found else None\n";
    hst_buf script = HST_BUF(1 << 16);
    hst_process_result r = {0};
    hst_err why = {0};
    char *in = hst_path_join(x->work, "pictures.npy", err);
    char *out = in ? hst_path_join(x->work, "answers.f32", err) : NULL;
    hst_buf_printf(&script, "%s%s", begin, f->script);
    int rc = out ? hst_buf_check(&script, err) : HST_EMEM;
    rc = rc ? rc : write_pictures(p, in, err);
    const char *const argv[] = {"python3", "-c", script.p, x->path, in, out, f->module, NULL};
    if (rc == 0 && (rc = hst_process_run(x->ctx, "check", argv, LIMIT_S, &r, &why)) != 0)
        rc = rc == HST_EPROC ? 0 : hst_fail(err, rc, "%s", why.msg); /* no Python */
    else if (rc == 0 && r.exit_code != ABSENT && (r.exit_code != 0 || r.timed_out))
        rc = hst_fail(err, HST_EPROC, "%s does not run it: %s", f->module,
                      r.timed_out ? "it takes too long" : r.tail);
    else if (rc == 0 && r.exit_code == 0)
        rc = read_answers(out, p, err) ? HST_EPROC : 1;
    if (rc == 1)
        snprintf(who, 96, "%.90s", r.tail);
    hst_buf_free(&script);
    free(out);
    free(in);
    return rc;
}

/* ---- judged ---- */

/* The largest difference; of what are no probabilities in parts of the largest number. */
static double difference(const hst_exporting *x, const hst_probes *p)
{
    const int plain = x->ends.logits || x->model->target == HST_TARGET_NUMBER;
    double most = 0, largest = 1;
    for (size_t i = 0; i < (size_t)p->n * (size_t)p->classes; i++) {
        const double d = fabs((double)p->answer[i] - (double)p->found[i]);
        most = d > most || isnan(d) ? d : most;
        largest = fmax(largest, plain ? fabs((double)p->answer[i]) : 1);
    }
    return most / largest;
}

static int judge(const hst_exporting *x, double d, const char *who, hst_err *err)
{
    if (d <= x->tolerance)
        return 0;
    return hst_fail(err, HST_EMODEL,
                    "the exported model answers otherwise than the model (%s): by up to %.2g, more "
                    "than %.2g; it is not kept",
                    who, d, x->tolerance);
}

static int compare(const hst_exporting *x, const hst_exporter *f, int runtime, hst_expected *e,
                   hst_exported *out, hst_err *err)
{
    hst_probes *p = &e->probes;
    const int all = p->n;
    char how[96] = "";
    const int asked = f->ask ? f->ask(x, p, how, err) : 0;
    if (asked < 0)
        return asked;
    const int rc = hst_async_end(e->answers, err);
    if (rc)
        return rc;
    if (asked) {
        memcpy(out->checked, how, sizeof out->checked);
        out->pictures = p->n;
        out->difference = difference(x, p);
        if (judge(x, out->difference, how, err))
            return HST_EMODEL;
    }
    p->n = all;
    const int ran = !runtime    ? 0
                    : f->run    ? f->run(x, p, out->runtime, err)
                    : f->script ? ask_runtime(x, f, p, out->runtime, err)
                                : 0;
    if (ran == 1)
        out->runtime_difference = difference(x, p);
    if (!asked && !ran)
        hst_log(x->ctx, HST_LOG_WARN, "the export is not checked: %s",
                *how ? how : "there is no way to");
    return ran == 1 ? judge(x, out->runtime_difference, out->runtime, err) : ran;
}

/* ---- accuracy ---- */

/* Whether an answer is right: the likeliest class, or all labels. */
static int is_right(const hst_exporting *x, const hst_export_photos *from, size_t photo,
                    const float *answer)
{
    const hst_photo *p = &from->data->photos[photo];
    const hst_model *m = x->model;
    if (m->target == HST_TARGET_CLASS)
        return hst_argmax(answer, m->n_classes) == from->label[p->label];
    int wrong = 0;
    for (int c = 0; c < m->n_classes; c++) {
        const double p_of = x->ends.logits ? 1 / (1 + exp(-(double)answer[c])) : (double)answer[c];
        int marked = 0;
        for (int k = 0; k < from->data->n_classes; k++)
            marked |= from->label[k] == c && p->marks[k];
        wrong += (p_of >= (double)m->threshold[c]) != marked;
    }
    return !wrong;
}

static void count_right(const hst_exporting *x, const hst_export_photos *from, const size_t *photo,
                        const hst_probes *p, hst_exported *out)
{
    uint64_t right = 0, found = 0, only_model = 0, only_export = 0;
    for (size_t i = 0; i < (size_t)p->n; i++) {
        const size_t at = i * (size_t)p->classes;
        const int before = is_right(x, from, photo[i], p->answer + at);
        const int after = is_right(x, from, photo[i], p->found + at);
        right += (uint64_t)before;
        found += (uint64_t)after;
        only_model += before && !after;
        only_export += after && !before;
    }
    out->photos = p->n;
    out->accuracy = (double)right / p->n;
    out->export_accuracy = (double)found / p->n;
    hst_paired_difference(only_export, only_model, (uint64_t)p->n, &out->change_low,
                          &out->change_high);
}

/* By the export's runtime, or as it is asked else. */
static int measure(const hst_exporting *x, const hst_exporter *f, const hst_export_photos *from,
                   hst_exported *out, hst_err *err)
{
    size_t n = from->n_measures;
    hst_probes p = {0};
    char how[96] = "";
    size_t *photo = hst_alloc(n, sizeof *photo, err);
    int rc = photo ? 0 : HST_EMEM;
    if (photo)
        memcpy(photo, from->measures, n * sizeof *photo);
    rc = rc ? rc : hst_export_pictures(x->ctx, x->model, from, photo, &n, &p, err);
    if (rc == 0 && p.n > 0)
        rc = f->script ? ask_runtime(x, f, &p, how, err) : f->ask ? f->ask(x, &p, how, err) : 0;
    if (rc == 0)
        hst_log(x->ctx, HST_LOG_WARN,
                "accuracy is not measured: there is no runtime of the format here");
    if (rc == 1 && (rc = answers(x, x->model, &p, p.answer, err)) == 0)
        count_right(x, from, photo, &p, out);
    hst_probes_free(&p);
    free(photo);
    return rc;
}

/* Narrow weights may cost so much and no more. */
static int judge_accuracy(const hst_exporting *x, const hst_exported *out, hst_err *err)
{
    const double drop = 100 * (out->accuracy - out->export_accuracy);
    if (!(drop > x->max_drop + 1e-9))
        return 0;
    return hst_fail(err, HST_EUNSUP,
                    "accuracy falls from %.1f %% to %.1f %% on %d photos (95 %% interval of the "
                    "change %+.1f to %+.1f points), more than --max-drop %g; the export in %s is "
                    "not kept: export it in float32, or allow more",
                    100 * out->accuracy, 100 * out->export_accuracy, out->photos,
                    100 * out->change_low, 100 * out->change_high, x->max_drop,
                    hst_weights_names[x->weights]);
}

int hst_export_check(const hst_exporting *x, const hst_exporter *f, hst_expected *e, int runtime,
                     hst_exported *out, hst_err *err)
{
    const int measures = e->photos && e->photos->n_measures && x->weights != HST_WEIGHTS_FLOAT32 &&
                         x->model->target != HST_TARGET_NUMBER;
    out->pictures = e->probes.n;
    out->tolerance = x->tolerance;
    int rc = compare(x, f, runtime || measures, e, out, err);
    rc = rc || !measures ? rc : measure(x, f, e->photos, out, err);
    return rc ? rc : judge_accuracy(x, out, err);
}
