/* page_inspection.c - what is wrong with the photos, a row a kind. */
#include "report/page.h"

#include <string.h>

enum { EXAMPLES = 20 }; /* named of a kind */

static const char *severity_name(enum hst_severity s)
{
    return s == HST_SEVERITY_ERROR ? "error" : s == HST_SEVERITY_WARNING ? "warning" : "remark";
}

/* What other sections show with pictures, or list. */
static const char *section_of(const hst_page *p, const char *kind)
{
    if (strstr(kind, "copies"))
        return p->n_copies ? "copies" : NULL;
    if (strcmp(kind, "undecodable") == 0 || strcmp(kind, "truncated") == 0)
        return p->in->n_skipped ? "skipped" : NULL;
    return NULL;
}

static void put_finding(hst_page *p, const hst_inspection_finding *f)
{
    hst_buf *b = &p->body;
    hst_buf_puts(b, "<li>");
    for (size_t i = 0; i < f->n_paths && i < EXAMPLES; i++) {
        hst_buf_puts(b, i ? ", " : "");
        hst_page_path(b, hst_page_relative(p, f->paths[i]));
    }
    if (f->n_paths > EXAMPLES)
        hst_buf_printf(b, " and %zu more", f->n_paths - EXAMPLES);
    hst_buf_puts(b, f->n_paths && *f->what ? ": " : "");
    hst_page_text(b, f->what);
    hst_buf_puts(b, "</li>\n");
}

/* The findings first .. first + n - 1, all of one kind. */
static void put_kind(hst_page *p, size_t first, size_t n)
{
    hst_buf *b = &p->body;
    const hst_inspection *r = p->in->inspection;
    const hst_inspection_finding *f = hst_inspection_at(r, first);
    const char *section = section_of(p, f->kind);
    hst_buf_printf(b, "<tr><td>%s</td><th scope=\"row\">", severity_name(f->severity));
    if (section)
        hst_buf_printf(b, "<a href=\"#%s\">%s</a></th>", section, f->title);
    else
        hst_buf_printf(b, "%s<details><summary>Which</summary>\n<ul>\n", f->title);
    for (size_t i = 0; !section && i < n && i < EXAMPLES; i++)
        put_finding(p, hst_inspection_at(r, first + i));
    if (!section && n > EXAMPLES)
        hst_buf_printf(b, "<li>and %zu more</li>\n", n - EXAMPLES);
    hst_buf_printf(b, "%s<td class=\"num\">%zu</td><td>%s</td></tr>\n",
                   section ? "" : "</ul></details></th>", n, f->advice);
}

void hst_page_inspection(hst_page *p)
{
    hst_buf *b = &p->body;
    const hst_inspection *r = p->in->inspection;
    const hst_inspection_finding *f, *next;
    if (!r || !hst_inspection_at(r, 0))
        return;
    hst_page_begin(p, "doctor", "What is wrong with the photos");
    hst_buf_puts(b, "<p><code>headstart doctor</code> says this before training, with all names."
                    "</p>\n");
    hst_page_wide(b, "What is wrong with the photos");
    hst_buf_puts(b, "<table class=\"list\">\n<thead><tr><th scope=\"col\">weight</th>"
                    "<th scope=\"col\">what</th><th scope=\"col\" class=\"num\">how often</th>"
                    "<th scope=\"col\">what to do</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0, n; (f = hst_inspection_at(r, i)); i += n) {
        for (n = 1; (next = hst_inspection_at(r, i + n)) && strcmp(next->kind, f->kind) == 0;)
            n++;
        put_kind(p, i, n);
    }
    hst_buf_puts(b, "</tbody></table></div>\n");
    hst_page_end(p);
}
