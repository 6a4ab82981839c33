/* page_matrix.c - the confusion matrix, the photos of its cells, and the pairs that are confused.
 *
 * A cell is tinted by its part of the row. By the root of it, so that one photo in a hundred is
 * still told from three. It links to the panel of its photos ("c0-3"), and the panel back to the
 * cell ("m0-3"). */
#include "base/mem.h"
#include "report/page.h"

#include <math.h>
#include <stdlib.h>

enum {
    MATRIX_MAX = 100, /* classes up to which it is drawn */
    DENSE = 20,       /* more than these: small cells */
    LEVELS = 20,      /* of the tint; the style has as many */
    PANELS_MAX = 2000,
    PAIRS_MAX = 10
};

static int has_matrix(const hst_page *p)
{
    return p->e->n > 0 && p->e->n_classes <= MATRIX_MAX;
}

int hst_page_has_panels(const hst_page *p)
{
    return has_matrix(p) && p->rank.n_cells <= PANELS_MAX;
}

static void put_cell_name(hst_page *p, uint64_t n, int truth, int guess)
{
    hst_buf *b = &p->body;
    hst_page_count(b, n, "photo", "photos");
    hst_buf_puts(b, " of ");
    hst_page_text(b, hst_eval_label(p->e, truth));
    hst_buf_puts(b, truth == guess ? ", named rightly" : ", predicted as ");
    if (truth != guess)
        hst_page_text(b, hst_eval_label(p->e, guess));
}

static void put_cell(hst_page *p, int truth, int guess)
{
    hst_buf *b = &p->body;
    const uint64_t n = hst_eval_confusion(p->e, truth, guess);
    const uint64_t row = hst_eval_class(p->e, truth)->support;
    const char *kind = truth == guess ? "hit" : "miss";
    if (n == 0) {
        hst_buf_puts(b, truth == guess ? "<td class=\"hit\">0</td>" : "<td></td>");
        return;
    }
    const int level = (int)lround(LEVELS * sqrt((double)n / (double)row));
    hst_buf_printf(b, "<td class=\"%s s%d\">", kind, level < 1 ? 1 : level);
    if (!p->panels) {
        hst_buf_printf(b, "%llu</td>", (unsigned long long)n);
        return;
    }
    hst_buf_printf(b, "<a id=\"m%d-%d\" href=\"#c%d-%d\" aria-label=\"", truth, guess, truth,
                   guess);
    put_cell_name(p, n, truth, guess);
    hst_buf_printf(b, "\">%llu</a></td>", (unsigned long long)n);
}

static void put_label(hst_page *p, int c)
{
    hst_buf *b = &p->body;
    hst_buf_puts(b, "<span title=\"");
    hst_page_text(b, hst_eval_label(p->e, c));
    hst_buf_puts(b, "\">");
    hst_page_text(b, hst_eval_label(p->e, c));
    hst_buf_puts(b, "</span></th>");
}

static void put_rows(hst_page *p)
{
    hst_buf *b = &p->body;
    const int n = p->e->n_classes;
    hst_buf_puts(b, "<thead><tr><td></td>");
    for (int g = 0; g < n; g++) {
        hst_buf_puts(b, "<th scope=\"col\">");
        put_label(p, g);
    }
    hst_buf_puts(b, "</tr></thead>\n<tbody>\n");
    for (int t = 0; t < n; t++) {
        hst_buf_puts(b, "<tr><th scope=\"row\">");
        put_label(p, t);
        for (int g = 0; g < n; g++)
            put_cell(p, t, g);
        hst_buf_puts(b, "</tr>\n");
    }
    hst_buf_puts(b, "</tbody>\n");
}

void hst_page_matrix(hst_page *p)
{
    hst_buf *b = &p->body;
    const int n = p->e->n_classes;
    if (p->e->n == 0)
        return;
    hst_page_begin(p, "matrix", "Confusion matrix");
    if (!has_matrix(p)) {
        hst_buf_printf(b, "<p>%d classes are too many to draw; predictions.csv has them.</p>\n", n);
        hst_page_end(p);
        return;
    }
    hst_buf_printf(b,
                   "<p class=\"note\">Rows: the true class. Columns: what was predicted. The "
                   "stronger the colour, the larger the part of the row.%s</p>\n",
                   p->panels ? " A number opens its photos." : "");
    hst_page_wide(b, "Confusion matrix");
    hst_buf_printf(b,
                   "<table class=\"matrix%s\">\n<caption class=\"unseen\">Photos of each true "
                   "class (rows) by predicted class (columns)</caption>\n",
                   n > DENSE ? " dense" : "");
    put_rows(p);
    hst_buf_puts(b, "</table></div>\n");
    hst_page_end(p);
}

/* ---- the photos of a cell ---- */

static void put_panel(hst_page *p, const hst_ranked *r, size_t n)
{
    hst_buf *b = &p->body;
    const int t = r->truth, g = r->guess;
    const size_t shown = n < HST_PANEL_PHOTOS ? n : HST_PANEL_PHOTOS;
    hst_buf_printf(b,
                   "<div class=\"panel\" id=\"c%d-%d\" role=\"region\" tabindex=\"-1\" "
                   "aria-labelledby=\"h%d-%d\">\n<h3 id=\"h%d-%d\">",
                   t, g, t, g, t, g);
    put_cell_name(p, n, t, g);
    hst_buf_printf(b, "</h3>\n<p><a href=\"#m%d-%d\">Back to the matrix</a>", t, g);
    if (shown < n)
        hst_buf_printf(b, " The %zu %s of them:", shown, t == g ? "least sure" : "surest mistakes");
    hst_buf_puts(b, "</p>\n<div class=\"photos\">\n");
    for (size_t i = 0; i < shown; i++)
        hst_page_card(p, r[i].photo, 0);
    hst_buf_puts(b, "</div>\n</div>\n");
}

void hst_page_panels(hst_page *p)
{
    const hst_ranking *r = &p->rank;
    if (!p->panels)
        return;
    for (size_t i = 0, n; i < r->n; i += n) {
        hst_ranking_cell(r, r->cell[i].truth, r->cell[i].guess, &n);
        put_panel(p, &r->cell[i], n);
    }
}

/* ---- confused pairs ---- */

typedef struct confused {
    size_t n;
    int truth, guess;
} confused;

static int most_first(const void *pa, const void *pb)
{
    const confused *a = pa, *b = pb;
    if (a->n != b->n)
        return a->n > b->n ? -1 : 1;
    if (a->truth != b->truth)
        return a->truth < b->truth ? -1 : 1;
    return a->guess < b->guess ? -1 : a->guess > b->guess;
}

static void put_pair(hst_page *p, const confused *c)
{
    hst_buf *b = &p->body;
    const int linked = p->panels;
    hst_buf_puts(b, "<tr><th scope=\"row\">");
    hst_page_path(b, hst_eval_label(p->e, c->truth));
    hst_buf_puts(b, "</th><td>");
    hst_page_path(b, hst_eval_label(p->e, c->guess));
    hst_buf_puts(b, "</td><td class=\"num\">");
    if (linked) {
        hst_buf_printf(b, "<a href=\"#c%d-%d\" aria-label=\"", c->truth, c->guess);
        put_cell_name(p, c->n, c->truth, c->guess);
        hst_buf_puts(b, "\">");
    }
    hst_buf_printf(b, "%zu%s of %llu</td></tr>\n", c->n, linked ? "</a>" : "",
                   (unsigned long long)hst_eval_class(p->e, c->truth)->support);
}

int hst_page_pairs(hst_page *p, hst_err *err)
{
    hst_buf *b = &p->body;
    const hst_ranking *r = &p->rank;
    size_t found = 0;
    if (r->n_wrong == 0)
        return 0;
    confused *c = hst_alloc(r->n_cells, sizeof *c, err);
    if (!c)
        return HST_EMEM;
    for (size_t i = 0, n; i < r->n; i += n) {
        hst_ranking_cell(r, r->cell[i].truth, r->cell[i].guess, &n);
        if (r->cell[i].truth != r->cell[i].guess)
            c[found++] = (confused){n, r->cell[i].truth, r->cell[i].guess};
    }
    qsort(c, found, sizeof *c, most_first);
    hst_page_begin(p, "pairs", "Most confused pairs");
    hst_buf_puts(
        b,
        "<div class=\"wide\"><table class=\"list\">\n<thead><tr><th scope=\"col\">true class</th>"
        "<th scope=\"col\">predicted as</th><th scope=\"col\" class=\"num\">photos</th>"
        "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < found && i < PAIRS_MAX; i++)
        put_pair(p, &c[i]);
    hst_buf_puts(b, "</tbody></table></div>\n");
    hst_page_end(p);
    free(c);
    return 0;
}
