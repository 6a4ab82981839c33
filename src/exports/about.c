/* about.c - what an exported model says of itself. */
#include "exports/export.h"

#include "base/json.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void hst_about_free(hst_about *a)
{
    free(a->labels);
    free(a->lines);
    free(a->names);
    free(a->preprocess);
    free(a->card);
    free(a->model);
    *a = (hst_about){0};
}

/* The buffer's text, to be freed; NULL and HST_EMEM where it has failed. */
static char *text_of(hst_buf *b, hst_err *err)
{
    if (b->n == 0)
        hst_buf_puts(b, "");
    if (hst_buf_check(b, err) == 0)
        return b->p;
    hst_buf_free(b);
    return NULL;
}

enum { MOST_TEXT = 1 << 26 };

static char *labels(const hst_model *m, hst_err *err)
{
    json_t *list = json_array();
    for (int i = 0; i < m->n_classes; i++)
        if (json_array_append_new(list, json_string(m->labels[i])) != 0) {
            json_decref(list);
            return hst_json_dump(NULL, err);
        }
    return hst_json_dump(list, err);
}

/* A line break in a label would be a label more. */
static char *lines(const hst_model *m, hst_err *err)
{
    hst_buf b = HST_BUF(MOST_TEXT);
    for (int i = 0; i < m->n_classes; i++) {
        for (const char *s = m->labels[i]; *s; s++)
            hst_buf_add(&b, *s == '\n' || *s == '\r' ? " " : s, 1);
        hst_buf_puts(&b, "\n");
    }
    return text_of(&b, err);
}

/* A Python dict, as ast.literal_eval reads it. */
static char *names(const hst_model *m, hst_err *err)
{
    hst_buf b = HST_BUF(MOST_TEXT);
    hst_buf_puts(&b, "{");
    for (int i = 0; i < m->n_classes; i++) {
        hst_buf_printf(&b, "%s%d: '", i ? ", " : "", i);
        for (const char *s = m->labels[i]; *s; s++) {
            if (*s == '\'' || *s == '\\')
                hst_buf_puts(&b, "\\");
            if ((unsigned char)*s < ' ')
                hst_buf_printf(&b, "\\x%02x", *s);
            else
                hst_buf_add(&b, s, 1);
        }
        hst_buf_puts(&b, "'");
    }
    hst_buf_puts(&b, "}");
    return text_of(&b, err);
}

/* ---- preparation ---- */

static json_t *resize(const hst_prep *p)
{
    const int crops = hst_prep_crops(p);
    const hst_size to = crops ? p->resize : p->size;
    return json_pack("{s:s, s:i, s:i, s:s, s:s}", "geometry", hst_geometry_name(p->geometry),
                     "width", to.width, "height", to.height, "interpolation",
                     hst_interpolation_name(p->interpolation), "as",
                     p->resampler == HST_RESAMPLE_TF ? "tf.image.resize" : "PIL.Image.resize");
}

static json_t *reals(const float x[3])
{
    return json_pack("[fff]", (double)x[0], (double)x[1], (double)x[2]);
}

/* What the caller does (resize) and what the network does itself (scaling). */
static char *preprocess(const hst_model *m, const hst_ends *e, hst_err *err)
{
    const hst_prep *p = &hst_model_plain(m)->view[0].prep;
    json_t *in = json_pack("{s:s, s:s, s:s, s:i, s:i, s:[ii], s:s}", "dtype",
                           e->uint8  ? "uint8"
                           : e->int8 ? "int8"
                                     : "float32",
                           "layout", e->nchw ? "NCHW" : "NHWC", "color", "RGB", "width",
                           p->size.width, "height", p->size.height, "range", e->int8 ? -128 : 0,
                           e->int8 ? 127 : 255, "orientation", "EXIF applied");
    json_t *scaling = json_pack("{s:o, s:o, s:s}", "mean", reals(p->norm.mean), "std",
                                reals(p->norm.std), "where", "in the network");
    return hst_json_dump(
        json_pack("{s:o, s:o, s:o}", "input", in, "resize", resize(p), "scaling", scaling), err);
}

/* ---- the card ---- */

static void row(hst_buf *b, const hst_model *m, const char *key, const char *title)
{
    const char *value = hst_model_record(m, key);
    if (value && *value)
        hst_buf_printf(b, "| %s | %s |\n", title, value);
}

static double recorded(const hst_model *m, const char *key)
{
    const char *text = hst_model_record(m, key);
    double x;
    return text && hst_read_real(text, "", &x) ? x : -1;
}

/* Thousandths of x, which printf would write with the locale's comma. */
static const char *thousandths(double x, char text[16])
{
    const int n = (int)(1000 * x + 0.5);
    snprintf(text, 16, "%d.%03d", n / 1000, n % 1000);
    return text;
}

/* What training has measured: of all photos out of fold, else of those kept aside. */
static void accuracy_row(hst_buf *b, const hst_model *m)
{
    static const char *const keys[][5] = {
        {"oof_accuracy", "oof_ci_low", "oof_ci_high", "oof_n", "out of fold"},
        {"val_accuracy", "val_ci_low", "val_ci_high", "val_n", "kept aside"}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char text[3][16];
        double x[4];
        int all = 1;
        for (int k = 0; k < 4; k++)
            all &= (x[k] = recorded(m, keys[i][k])) >= 0 && (k == 3 || x[k] <= 1);
        if (!all)
            continue;
        hst_buf_printf(b, "| accuracy | %s (95 %% interval %s to %s, %.0f photos %s) |\n",
                       thousandths(x[0], text[0]), thousandths(x[1], text[1]),
                       thousandths(x[2], text[2]), x[3], keys[i][4]);
        return;
    }
}

/* From which probability on a photo has a label. */
static void thresholds_row(hst_buf *b, const hst_model *m)
{
    if (!m->threshold)
        return;
    hst_buf_puts(b, "| a photo has the label from |");
    for (int i = 0; i < m->n_classes; i++) {
        char text[16];
        hst_buf_printf(b, "%s %s %s", i ? "," : "", m->labels[i],
                       thousandths((double)m->threshold[i], text));
    }
    hst_buf_puts(b, " |\n");
}

static char *card(const hst_model *m, hst_err *err)
{
    const hst_backbone *b = m->extractor->branch[0].backbone;
    hst_buf text = HST_BUF(MOST_TEXT);
    char source[sizeof b->source], size[HST_SIZE_TEXT];
    hst_printable(source, sizeof source, b->source);
    hst_buf_printf(&text, "# %s, %d %s\n\n", b->arch.family, m->n_classes,
                   m->target == HST_TARGET_NUMBER ? "number"
                   : m->n_classes == 1            ? "class"
                                                  : "classes");
    hst_buf_printf(&text, "An image classifier, trained and exported by headstart %s.\n\n",
                   hst_version());
    hst_buf_puts(&text, "| | |\n|---|---|\n");
    hst_buf_printf(&text, "| backbone | %s (%s) |\n", b->arch.family, source);
    if (b->licence)
        hst_buf_printf(&text, "| licence of its weights | %s |\n", b->licence);
    hst_buf_printf(&text, "| input | %s RGB, 0..255 |\n",
                   hst_size_text(m->extractor->branch[0].view[0].prep.size, size));
    row(&text, m, "recipe", "recipe");
    accuracy_row(&text, m);
    thresholds_row(&text, m);
    row(&text, m, "n_train", "trained on photos");
    hst_buf_puts(&text, "\n");
    return text_of(&text, err);
}

int hst_about_make(const hst_model *m, const hst_ends *ends, hst_about *a, hst_err *err)
{
    *a = (hst_about){0};
    a->labels = labels(m, err);
    a->lines = a->labels ? lines(m, err) : NULL;
    a->names = a->lines ? names(m, err) : NULL;
    a->preprocess = a->names ? preprocess(m, ends, err) : NULL;
    a->card = a->preprocess ? card(m, err) : NULL;
    a->model = a->card ? hst_model_facts(m, err) : NULL;
    return a->model ? 0 : HST_EMEM;
}
