/* page_text.c - text of the page: escaped, with numbers that no locale changes. */
#include "report/page.h"

#include <math.h>
#include <string.h>

static void put_char(hst_buf *b, const char *c)
{
    const char *safe = *c == '&'    ? "&amp;"
                       : *c == '<'  ? "&lt;"
                       : *c == '>'  ? "&gt;"
                       : *c == '"'  ? "&quot;"
                       : *c == '\'' ? "&#39;"
                                    : NULL;
    hst_buf_add(b, safe ? safe : c, safe ? strlen(safe) : 1);
}

void hst_page_text(hst_buf *b, const char *s)
{
    char clean[4096];
    hst_printable(clean, sizeof clean, s);
    for (const char *c = clean; *c; c++)
        put_char(b, c);
}

void hst_page_path(hst_buf *b, const char *path)
{
    char clean[4096];
    hst_printable(clean, sizeof clean, path);
    for (const char *c = clean; *c; c++) {
        put_char(b, c);
        if ((*c == '/' || *c == '_') && c[1])
            hst_buf_puts(b, "<wbr>");
    }
}

const char *hst_page_base(const char *path, char out[1024])
{
    size_t end = strlen(path), from;
    while (end > 1 && path[end - 1] == '/')
        end--;
    for (from = end; from > 0 && path[from - 1] != '/';)
        from--;
    if (end - from == 0 || end - from >= 1024)
        return path;
    memcpy(out, path + from, end - from);
    out[end - from] = 0;
    return out;
}

void hst_page_fixed(hst_buf *b, double v, int decimals)
{
    long scale = 1;
    for (int i = 0; i < decimals; i++)
        scale *= 10;
    if (!(v < 1e9)) { /* of more digits than anybody reads; NaN */
        hst_buf_puts(b, "-");
        return;
    }
    long whole = lround(v * (double)scale);
    hst_buf_printf(b, "%ld", whole / scale);
    if (decimals)
        hst_buf_printf(b, ".%0*ld", decimals, whole % scale);
}

void hst_page_signed(hst_buf *b, double v, int decimals)
{
    if (!(fabs(v) < 1e9)) {
        hst_buf_double(b, v);
        return;
    }
    const double least = 0.5 * pow(10, -decimals);
    hst_buf_puts(b, v <= -least ? "\xe2\x88\x92" : ""); /* a minus sign */
    hst_page_fixed(b, fabs(v), decimals);
}

int hst_page_decimals(const hst_eval *e)
{
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < e->n_photos; i++) {
        low = fmin(low, hst_eval_at(e, i)->number);
        high = fmax(high, hst_eval_at(e, i)->number);
    }
    if (!(high > low))
        return 2;
    return (int)fmin(fmax(3 - floor(log10(high - low)), 0), 6);
}

void hst_page_percent(hst_buf *b, double part)
{
    hst_page_fixed(b, 100 * part, 1);
    hst_buf_puts(b, HST_NBSP "%");
}

void hst_page_count(hst_buf *b, uint64_t n, const char *one, const char *many)
{
    hst_buf_printf(b, "%llu %s", (unsigned long long)n, n == 1 ? one : many);
}

const char *hst_page_relative(const hst_page *p, const char *path)
{
    const char *root = p->in->root;
    size_t n = root ? strlen(root) : 0;
    while (n > 1 && root[n - 1] == '/')
        n--;
    if (n == 0 || strncmp(path, root, n) != 0 || (path[n] != '/' && root[n - 1] != '/'))
        return path;
    path += n;
    return path + strspn(path, "/");
}

void hst_page_begin(hst_page *p, const char *id, const char *heading)
{
    if (p->n_sections < HST_PAGE_SECTIONS) {
        p->section[p->n_sections].id = id;
        p->section[p->n_sections++].heading = heading;
    }
    hst_buf_printf(&p->body,
                   "<section id=\"%s\" aria-labelledby=\"%s-h\">\n<h2 id=\"%s-h\">%s</h2>\n", id,
                   id, id, heading);
}

void hst_page_end(hst_page *p)
{
    hst_buf_puts(&p->body, "</section>\n");
}

void hst_page_wide(hst_buf *b, const char *name)
{
    hst_buf_printf(b, "<div class=\"wide\" role=\"group\" aria-label=\"%s\" tabindex=\"0\">", name);
}

void hst_page_out_of_fold(hst_buf *b, const hst_report_in *in)
{
    hst_buf_printf(b,
                   "<p class=\"note\">Out of fold: each photo was judged by a model that had "
                   "learned from the photos of the other folds only, copies of a photo always "
                   "sharing a fold; so are all numbers and photos below. The model in this folder "
                   "has learned from all %zu photos. Photos kept aside, judged by a model of the "
                   "other %zu: ",
                   in->n_train, in->n_train - in->holdout->n_photos);
}
