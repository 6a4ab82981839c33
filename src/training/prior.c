#include "training/prior.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 16 << 20 };
static const double SHARE_MIN = 1e-9; /* and its inverse the most: sums and ratios stay numbers */

/* ---- the file ---- */

/* A line of the file being read. */
typedef struct line {
    const char *path;
    int number;
    char *label, *share;
} line;

/* Ends the field at s, in which "" stands for a quote where it is quoted; its text goes to the
 * front. What follows the field. */
static char *cut_field(char *s)
{
    char *to = s, *from = s + 1;
    if (*s != '"')
        return s + strcspn(s, ",");
    for (; *from && (*from != '"' || from[1] == '"'); from++) {
        from += *from == '"';
        *to++ = *from;
    }
    from += *from == '"';
    if (*from == ',')
        *to = 0;
    return from;
}

/* Cuts s, which has no line break, into its two fields. 0: there are no two. */
static int cut_line(char *s, line *l)
{
    char *comma = cut_field(s);
    if (*comma != ',')
        return 0;
    *comma = 0;
    l->label = s;
    l->share = comma + 1;
    return 1;
}

static int by_name(const void *name, const void *class)
{
    return strcmp(name, *(const char *const *)class);
}

/* A first line without a number is a header: were it a wrong one, its class would be missed in the
 * end. */
static int take_line(const line *l, const hst_data *d, double *prior, hst_err *err)
{
    double share;
    int number = hst_read_real(l->share, NULL, &share);
    if (!number && l->number == 1)
        return 0;
    const char **class =
        bsearch(l->label, d->classes, (size_t)d->n_classes, sizeof *d->classes, by_name);
    if (!class)
        return hst_fail(err, HST_EARG, "%s, line %d: there is no class '%s'", l->path, l->number,
                        l->label);
    if (!number || !(share >= SHARE_MIN && share <= 1 / SHARE_MIN))
        return hst_fail(err, HST_EARG,
                        "%s, line %d: the share of %s is '%s'; expected a number above 0, from %g "
                        "to %g",
                        l->path, l->number, l->label, l->share, SHARE_MIN, 1 / SHARE_MIN);
    double *have = &prior[class - d->classes];
    if (*have > 0)
        return hst_fail(err, HST_EARG, "%s, line %d: class %s is there twice", l->path, l->number,
                        l->label);
    *have = share;
    return 0;
}

static int take_lines(char *text, const char *path, const hst_data *d, double *prior, hst_err *err)
{
    static const char mark[] = "\xef\xbb\xbf"; /* some programs begin UTF-8 with it */
    line l = {.path = path};
    if (strncmp(text, mark, sizeof mark - 1) == 0)
        text += sizeof mark - 1;
    int rc = 0;
    for (char *next; rc == 0 && text; text = next) {
        size_t n = strcspn(text, "\n");
        next = text[n] ? text + n + 1 : NULL;
        while (n > 0 && strchr(" \r\t", text[n - 1]))
            n--;
        text[n] = 0;
        l.number++;
        if (n > 0 && !cut_line(text, &l))
            rc = hst_fail(err, HST_EARG, "%s, line %d: expected label,share", path, l.number);
        else if (n > 0)
            rc = take_line(&l, d, prior, err);
    }
    return rc;
}

static int make_whole(const char *path, const hst_data *d, double *prior, hst_err *err)
{
    double sum = 0;
    for (int c = 0; c < d->n_classes; c++) {
        if (!(prior[c] > 0))
            return hst_fail(err, HST_EARG, "%s has no line for class %s", path, d->classes[c]);
        sum += prior[c];
    }
    for (int c = 0; c < d->n_classes; c++)
        prior[c] /= sum;
    return 0;
}

static int read_file(const char *path, const hst_data *d, double *prior, hst_err *err)
{
    uint8_t *text = NULL;
    size_t n;
    hst_err why = {0};
    int rc = hst_file_read(path, FILE_MAX, HST_EARG, &text, &n, &why);
    if (rc)
        return hst_fail(err, rc,
                        "the prior is balanced, as-trained or a file with a line label,share for "
                        "each class, not '%s': %s",
                        path, why.msg);
    rc = take_lines((char *)text, path, d, prior, err);
    free(text);
    return rc ? rc : make_whole(path, d, prior, err);
}

int hst_prior_read(const char *text, const hst_data *d, double **prior, hst_err *err)
{
    int rc = 0;
    *prior = NULL;
    if (strcmp(text, HST_PRIOR_AS_TRAINED) == 0)
        return 0;
    double *made = hst_alloc((size_t)d->n_classes, sizeof *made, err);
    if (!made)
        return HST_EMEM;
    if (strcmp(text, HST_PRIOR_BALANCED) == 0)
        for (int c = 0; c < d->n_classes; c++)
            made[c] = 1.0 / d->n_classes;
    else
        rc = read_file(text, d, made, err);
    if (rc)
        free(made);
    else
        *prior = made;
    return rc;
}

static size_t count_class(const hst_examples *e, int c)
{
    size_t n = 0;
    for (size_t i = 0; i < e->n; i++)
        n += e->label[i] == c;
    return n;
}

void hst_prior_suggest(const hst_fit *f)
{
    const hst_settings *s = &f->run->settings;
    const hst_data *d = f->run->data;
    int most = 0, fewest = 0;
    if (!s->prior || f->run->prior || s->class_weight == HST_BALANCED)
        return;
    size_t max = count_class(&f->train, 0), min = max;
    for (int c = 1; c < d->n_classes; c++) {
        size_t n = count_class(&f->train, c);
        if (n > max)
            most = c, max = n;
        if (n < min)
            fewest = c, min = n;
    }
    if (max > HST_UNEQUAL * min)
        hst_log(f->ctx, HST_LOG_INFO,
                "class %s has %zu photos to learn from, %s has %zu: with --prior balanced classes "
                "of few photos are named as readily as the others",
                d->classes[most], max, d->classes[fewest], min);
}

/* ---- the head ---- */

void hst_prior_shares(const hst_examples *e, int n_classes, enum hst_class_weight weights,
                      double *share)
{
    for (int c = 0; c < n_classes; c++)
        share[c] = weights == HST_BALANCED ? 1.0 / n_classes : 0;
    for (size_t i = 0; weights != HST_BALANCED && i < e->n; i++)
        share[e->label[i]] += 1.0 / (double)e->n;
}

void hst_prior_shift(const double *prior, const double *share, int n_classes, float *bias)
{
    for (int c = 0; c < n_classes; c++)
        bias[c] = (float)((double)bias[c] + log(prior[c] / share[c]));
}

/* "balanced", or the shares in the order of the labels: nothing of where they were read. */
static int record(const hst_fit *f, hst_err *err)
{
    const hst_run *r = f->run;
    hst_buf b = HST_BUF(SIZE_MAX / 2);
    if (strcmp(r->settings.prior, HST_PRIOR_BALANCED) == 0)
        return hst_model_set_record(f->model, "prior", HST_PRIOR_BALANCED, err);
    for (int c = 0; c < r->data->n_classes; c++) {
        hst_buf_puts(&b, c ? "," : "");
        hst_buf_double(&b, r->prior[c]);
    }
    int rc = hst_buf_check(&b, err);
    if (rc == 0)
        rc = hst_model_set_record(f->model, "prior", b.p, err);
    hst_buf_free(&b);
    return rc;
}

int hst_prior_apply(hst_fit *f, const hst_examples *e, hst_err *err)
{
    hst_model *m = f->model;
    if (!f->run->prior)
        return 0;
    double *share = hst_alloc((size_t)m->n_classes, sizeof *share, err);
    if (!share)
        return HST_EMEM;
    hst_prior_shares(e, m->n_classes, f->run->settings.class_weight, share);
    hst_prior_shift(f->run->prior, share, m->n_classes, m->bias);
    free(share);
    return record(f, err);
}

int hst_prior_reweight(const hst_fit *f, const hst_examples *e, hst_out_of_fold *o, hst_err *err)
{
    const size_t classes = (size_t)o->n_classes;
    if (!f->run->prior)
        return 0;
    double *share = hst_alloc(classes, sizeof *share, err);
    if (!share)
        return HST_EMEM;
    hst_prior_shares(e, o->n_classes, f->run->settings.class_weight, share);
    for (size_t i = 0; i < o->n; i++) {
        float *prob = o->prob + i * classes;
        double sum = 0;
        for (size_t c = 0; c < classes; c++)
            sum += (double)prob[c] * f->run->prior[c] / share[c];
        for (size_t c = 0; sum > 0 && c < classes; c++)
            prob[c] = (float)((double)prob[c] * f->run->prior[c] / share[c] / sum);
    }
    free(share);
    return 0;
}
