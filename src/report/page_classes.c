/* page_classes.c - the classes: how many photos each has, and how well it is found. */
#include "report/page.h"

void hst_page_bar(hst_buf *b, uint64_t n, uint64_t most)
{
    hst_buf_puts(b, "<td class=\"bar\"><svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" "
                    "aria-hidden=\"true\"><rect height=\"10\" width=\"");
    hst_page_fixed(b, most ? 100 * (double)n / (double)most : 0, 1);
    hst_buf_printf(b, "\"/></svg> %llu</td>", (unsigned long long)n);
}

static uint64_t photos_of(const hst_page *p, int c)
{
    return p->in->class_photos ? p->in->class_photos[c] : hst_eval_class(p->e, c)->support;
}

static void put_class(hst_page *p, int c, uint64_t most, int measured)
{
    hst_buf *b = &p->body;
    const hst_class_score *s = hst_eval_class(p->e, c);
    const double v[] = {s->precision, s->recall, s->f1};
    hst_buf_puts(b, "<tr><th scope=\"row\"><span title=\"");
    hst_page_text(b, hst_eval_label(p->e, c));
    hst_buf_puts(b, "\">");
    hst_page_text(b, hst_eval_label(p->e, c));
    hst_buf_puts(b, "</span></th>");
    hst_page_bar(b, photos_of(p, c), most);
    if (measured)
        hst_buf_printf(b, "<td>%llu</td>", (unsigned long long)s->support);
    for (int i = 0; p->e->n && i < 3; i++) {
        if (s->support == 0) { /* nothing is known of it */
            hst_buf_puts(b, "<td>-</td>");
            continue;
        }
        hst_buf_puts(b, "<td>");
        hst_page_fixed(b, v[i], 3);
        hst_buf_puts(b, "</td>");
    }
    hst_buf_puts(b, "</tr>\n");
}

/* What the scores are; that classes are unequal, where they are. */
static void put_notes(hst_page *p, uint64_t least, uint64_t most)
{
    hst_buf *b = &p->body;
    if (most > HST_UNEQUAL * least)
        hst_buf_printf(b,
                       "<p>The largest class has %llu photos, the smallest %llu: where classes "
                       "of few photos matter as much, look at their recall and at the balanced "
                       "accuracy.</p>\n",
                       (unsigned long long)most, (unsigned long long)least);
    if (p->e->n)
        hst_buf_puts(b, "<p class=\"note\">Precision: of the photos given this label, the part "
                        "that has it. Recall: of the photos that have it, the part that was "
                        "found. F1: their harmonic mean.</p>\n");
}

void hst_page_classes(hst_page *p)
{
    hst_buf *b = &p->body;
    uint64_t most = 0, least = UINT64_MAX, total = 0;
    for (int c = 0; c < p->e->n_classes; c++) {
        const uint64_t n = photos_of(p, c);
        most = n > most ? n : most;
        least = n < least ? n : least;
        total += n;
    }
    if (total == 0)
        return;
    const int measured = p->e->n > 0 && total != p->e->n;
    hst_page_begin(p, "classes", "Classes");
    hst_page_wide(b, "Classes");
    hst_buf_printf(b,
                   "<table class=\"scores\">\n<caption class=\"unseen\">Photos and scores of each "
                   "class</caption>\n<thead><tr><th scope=\"col\">class</th><th scope=\"col\">"
                   "photos</th>%s%s</tr></thead>\n<tbody>\n",
                   measured ? "<th scope=\"col\">measured</th>" : "",
                   p->e->n ? "<th scope=\"col\">precision</th><th scope=\"col\">recall</th>"
                             "<th scope=\"col\">F1</th>"
                           : "");
    for (int c = 0; c < p->e->n_classes; c++)
        put_class(p, c, most, measured);
    hst_buf_puts(b, "</tbody></table></div>\n");
    put_notes(p, least, most);
    hst_page_end(p);
}
