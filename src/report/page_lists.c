/* page_lists.c - what was tried, and the files that could not be used. */
#include "report/page.h"

enum { SKIPPED_MAX = 1000 }; /* named */

void hst_page_steps(hst_page *p)
{
    hst_buf *b = &p->body;
    const hst_report_in *in = p->in;
    if (in->n_steps == 0)
        return;
    hst_page_begin(p, "tried", "What was tried");
    hst_buf_puts(b, "<p>Judged by five-fold cross-validation on the training side; a step is kept "
                    "where the log loss falls by more than chance would explain. Passes are what "
                    "it adds to every prediction, counted in those of the backbone alone.</p>\n");
    hst_page_wide(b, "What was tried");
    hst_buf_puts(b, "<table class=\"list\">\n<thead><tr><th scope=\"col\">step</th>"
                    "<th scope=\"col\" class=\"num\">log loss</th>"
                    "<th scope=\"col\" class=\"num\">accuracy</th>"
                    "<th scope=\"col\" class=\"num\">passes</th><th scope=\"col\">outcome</th></tr>"
                    "</thead>\n<tbody>\n");
    for (size_t i = 0; i < in->n_steps; i++) {
        const hst_effort_step *s = &in->step[i];
        hst_buf_puts(b, "<tr><th scope=\"row\">");
        hst_page_text(b, s->what);
        hst_buf_puts(b, "</th><td class=\"num\">");
        hst_page_fixed(b, s->log_loss, 3);
        hst_buf_puts(b, "</td><td class=\"num\">");
        hst_page_percent(b, s->accuracy);
        hst_buf_puts(b, "</td><td class=\"num\">");
        hst_page_fixed(b, s->cost, 1);
        hst_buf_printf(b, "</td><td>%s</td></tr>\n", s->kept ? "kept" : "left out");
    }
    hst_buf_puts(b, "</tbody></table></div>\n");
    hst_page_end(p);
}

void hst_page_skipped(hst_page *p)
{
    hst_buf *b = &p->body;
    const hst_report_in *in = p->in;
    const size_t shown = in->n_skipped < SKIPPED_MAX ? in->n_skipped : SKIPPED_MAX;
    if (in->n_skipped == 0)
        return;
    hst_page_begin(p, "skipped", "Skipped files");
    hst_buf_printf(b, "<p>%zu could not be used.", in->n_skipped);
    if (shown < in->n_skipped)
        hst_buf_printf(b, " The first %zu; skipped.csv has all.", shown);
    hst_buf_puts(b, "</p>\n");
    hst_page_wide(b, "Skipped files");
    hst_buf_puts(b, "<table class=\"list\">\n<thead><tr><th scope=\"col\">file</th>"
                    "<th scope=\"col\">reason</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < shown; i++) {
        hst_buf_puts(b, "<tr><th scope=\"row\">");
        hst_page_path(b, in->skipped_path[i]);
        hst_buf_puts(b, "</th><td>");
        hst_page_text(b, in->skipped_why[i]);
        hst_buf_puts(b, "</td></tr>\n");
    }
    hst_buf_puts(b, "</tbody></table></div>\n");
    hst_page_end(p);
}
