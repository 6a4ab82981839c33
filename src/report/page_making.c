/* page_making.c - how it was made, and the card of the model: what it is, learned from what,
 * measured how, and where it ends. */
#include "report/page.h"

#include "base/str.h"

#include <math.h>
#include <string.h>

enum {
    LABELS_NAMED = 12, /* in the card */
    FEW = 20           /* photos of a class, from which little can be said */
};

/* A path, a command, a hash: broken behind '/' and '_', but no option behind its "--". */
static void put_code(hst_buf *b, const char *text)
{
    char word[1024];
    hst_buf_puts(b, "<code>");
    while (*text) {
        size_t n = strcspn(text, " ");
        n += text[n] == ' ';
        n = n < sizeof word ? n : sizeof word - 1;
        memcpy(word, text, n);
        word[n] = 0;
        if (*word == '-')
            hst_buf_puts(b, "<span class=\"word\">");
        hst_page_path(b, word);
        if (*word == '-')
            hst_buf_puts(b, "</span>");
        text += n;
    }
    hst_buf_puts(b, "</code>");
}

static void put_facts(hst_buf *b, const hst_report_fact *f, size_t n)
{
    hst_buf_puts(b, "<dl>\n");
    for (size_t i = 0; i < n; i++) {
        hst_buf_puts(b, "<dt>");
        hst_page_text(b, f[i].name);
        hst_buf_puts(b, "</dt><dd>");
        if (f[i].code)
            put_code(b, f[i].value);
        else
            hst_page_text(b, f[i].value);
        hst_buf_puts(b, "</dd>\n");
    }
    hst_buf_puts(b, "</dl>\n");
}

void hst_page_making(hst_page *p)
{
    const hst_report_in *in = p->in;
    if (in->n_facts == 0)
        return;
    hst_page_begin(p, "making", "How it was made");
    put_facts(&p->body, in->fact, in->n_facts);
    hst_page_end(p);
}

/* The only section that differs between equal jobs. */
void hst_page_job(hst_page *p)
{
    const hst_report_in *in = p->in;
    if (in->n_job == 0)
        return;
    hst_page_begin(p, "job", in->evaluation ? "This evaluation" : "This run");
    put_facts(&p->body, in->job, in->n_job);
    hst_page_end(p);
}

/* ---- the card ---- */

static void put_labels(hst_page *p)
{
    hst_buf *b = &p->body;
    const int n = p->e->n_classes;
    for (int c = 0; c < n && c < LABELS_NAMED; c++) {
        hst_buf_puts(b, c == 0 ? "" : c == n - 1 ? " or " : ", ");
        hst_page_text(b, hst_eval_label(p->e, c));
    }
    if (n > LABELS_NAMED)
        hst_buf_printf(b, " or one of %d more", n - LABELS_NAMED);
}

static void put_what(hst_page *p)
{
    hst_buf *b = &p->body;
    hst_buf_puts(b, "<dt>What it is</dt><dd>");
    if (p->e->target == HST_TARGET_NUMBER) {
        hst_buf_puts(b, "It tells a number of a photo, ");
        hst_page_text(b, hst_eval_label(p->e, 0));
        hst_buf_puts(b, ". A pretrained network");
    } else {
        hst_buf_printf(b, "A classifier of photos: it gives each of %d %s a probability%s (",
                       p->e->n_classes, p->e->n_classes == 1 ? "label" : "labels",
                       p->e->target == HST_TARGET_LABELS ? " of its own, and a photo may have any "
                                                           "number of them"
                                                         : "");
        put_labels(p);
        hst_buf_puts(b, "). A pretrained network");
    }
    if (p->in->backbone) {
        hst_buf_puts(b, ", ");
        hst_page_text(b, p->in->backbone);
    }
    if (p->in->licence) {
        hst_buf_puts(b, " (licence of its weights: ");
        hst_page_text(b, p->in->licence);
        hst_buf_puts(b, ")");
    }
    if (p->e->target == HST_TARGET_NUMBER)
        hst_buf_puts(b, " turns a photo into features; a linear layer, trained on these photos, "
                        "tells the number.</dd>\n");
    else
        hst_buf_puts(b, p->in->fine_tuned
                            ? ", the last part of which learned too, turns a photo into "
                              "numbers; a linear layer names them.</dd>\n"
                            : " turns a photo into numbers; a linear layer, trained on "
                              "these photos, names them.</dd>\n");
}

static void put_measured(hst_page *p)
{
    hst_buf *b = &p->body;
    static const char *const first[] = {"accuracy", "map", "mae"};
    double v, low, high;
    hst_buf_puts(b, "<dt>Measured</dt><dd>");
    if (p->e->n == 0 || hst_eval_metric(p->e, first[p->e->target], &v, &low, &high, NULL) ||
        isnan(v)) {
        hst_buf_puts(b, "Not: there was no photo that it had not learned from.</dd>\n");
        return;
    }
    if (p->e->target == HST_TARGET_NUMBER) {
        const int decimals = hst_page_decimals(p->e);
        hst_buf_puts(b, "Mean absolute error ");
        hst_page_signed(b, v, decimals);
        hst_buf_puts(b, ", with 95" HST_NBSP "% confidence between ");
        hst_page_signed(b, low, decimals);
        hst_buf_puts(b, " and ");
        hst_page_signed(b, high, decimals);
        hst_buf_puts(b, ", on ");
    } else {
        hst_buf_puts(b,
                     p->e->target == HST_TARGET_LABELS ? "Mean average precision " : "Accuracy ");
        hst_page_percent(b, v);
        hst_buf_printf(b,
                       ", with 95" HST_NBSP "%% confidence between %ld and %ld" HST_NBSP "%%, on ",
                       lround(100 * low), lround(100 * high));
    }
    hst_page_count(b, p->e->n, "photo", "photos");
    hst_buf_puts(b, p->in->evaluation ? " of the folder evaluated.</dd>\n"
                    : p->in->holdout  ? ", each judged by a model that had not seen it.</dd>\n"
                                      : " that were kept aside from training.</dd>\n");
}

/* Classes that are known from few photos. */
static void put_few(hst_page *p)
{
    hst_buf *b = &p->body;
    int few = 0;
    const int n = p->e->target == HST_TARGET_NUMBER ? 0 : p->e->n_classes;
    for (int c = 0; p->in->class_photos && c < n; c++) {
        if (p->in->class_photos[c] >= FEW)
            continue;
        if (few++ == 0)
            hst_buf_printf(b, " Fewer than %d photos, so little is known of them: ", FEW);
        else if (few <= LABELS_NAMED)
            hst_buf_puts(b, ", ");
        if (few <= LABELS_NAMED)
            hst_page_text(b, hst_eval_label(p->e, c));
    }
    if (few > LABELS_NAMED)
        hst_buf_printf(b, " and %d more", few - LABELS_NAMED);
    if (few)
        hst_buf_puts(b, ".");
}

/* What becomes of photos of none of the classes, and of other photos than these. */
static void put_limits(hst_page *p)
{
    hst_buf *b = &p->body;
    const hst_model *m = p->in->model;
    const char *rate = m && hst_model_tells_unknown(m) ? hst_model_record(m, "unknown_rate") : NULL;
    double part;
    hst_buf_puts(b, "<dt>Limits</dt><dd>");
    if (rate && hst_read_real(rate, NULL, &part)) {
        hst_buf_puts(b, "A photo that is like none it learned from is called unknown; so are, by "
                        "mistake, about ");
        hst_page_percent(b, part);
        hst_buf_puts(b, " of those that have one of its labels.");
    } else {
        hst_buf_puts(b, p->e->target == HST_TARGET_NUMBER
                            ? "It tells a number, whatever is on the photo, and is no guide far "
                              "beyond those that it learned from."
                        : p->e->target == HST_TARGET_LABELS
                            ? "It knows no other labels than these, whatever is on the photo."
                            : "It names one of these labels, whatever is on the photo.");
    }
    hst_buf_puts(b, " The figures hold for photos of the same things taken in the same way; with "
                    "other cameras, light or backgrounds it may do worse, so measure there before "
                    "it is relied on.");
}

void hst_page_model(hst_page *p)
{
    hst_buf *b = &p->body;
    char name[1024];
    hst_page_begin(p, "model", "Model card");
    hst_buf_puts(b, "<dl>\n");
    put_what(p);
    if (!p->in->evaluation) {
        hst_buf_puts(b, "<dt>Learned from</dt><dd>");
        hst_page_count(b, p->in->n_train, "photo", "photos");
        hst_buf_puts(b, " of ");
        hst_page_path(b, hst_page_base(p->in->title, name));
        hst_buf_puts(b, ".</dd>\n");
    }
    put_measured(p);
    put_limits(p);
    put_few(p);
    hst_buf_puts(b, "</dd>\n</dl>\n");
    hst_page_end(p);
}
