/* page.c - report.html: one page that needs nothing but itself. */
#include "report/page.h"

#include "base/file.h"
#include "base/sha256.h"
#include "report/base64.h"
#include "report/style.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE_MAX = 64 << 20 };

/* Nothing may be loaded, run or sent; the style is the one with this hash, pictures lie inside. */
static int put_policy(hst_buf *b, hst_err *err)
{
    uint8_t digest[32];
    int rc = hst_sha256_bytes(hst_report_style, strlen(hst_report_style), digest, err);
    if (rc)
        return rc;
    hst_buf_puts(b, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                    "style-src 'sha256-");
    hst_base64_add(b, digest, sizeof digest);
    hst_buf_puts(b, "'; img-src data:; base-uri 'none'; form-action 'none'\">\n");
    return 0;
}

int hst_page_head(hst_buf *b, const char *title, hst_err *err)
{
    char name[1024];
    hst_buf_puts(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    int rc = put_policy(b, err);
    hst_buf_puts(b, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                    "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    hst_page_text(b, hst_page_base(title, name));
    hst_buf_puts(b, " - headstart</title>\n<style>");
    hst_buf_puts(b, hst_report_style);
    hst_buf_puts(b, "</style>\n</head>\n");
    return rc;
}

static void put_header(hst_buf *b, const hst_page *p)
{
    const hst_report_in *in = p->in;
    char name[1024];
    hst_buf_puts(b, "<body>\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header>\n"
                    "<h1 title=\"");
    hst_page_text(b, in->title);
    hst_buf_puts(b, "\">");
    hst_page_path(b, hst_page_base(in->title, name));
    hst_buf_puts(b, "</h1>\n<p>");
    if (in->evaluation) {
        hst_buf_puts(b, "judged by ");
        hst_page_path(b, in->evaluation);
        hst_buf_puts(b, ", ");
    }
    if (p->e->target == HST_TARGET_NUMBER)
        hst_page_text(b, hst_eval_label(p->e, 0));
    else
        hst_buf_printf(b, "%d %s", p->e->n_classes,
                       p->e->target == HST_TARGET_LABELS ? "labels" : "classes");
    if (in->backbone) {
        hst_buf_puts(b, ", ");
        hst_page_path(b, in->backbone);
    }
    hst_buf_puts(b, "</p>\n<nav aria-label=\"Sections\"><ul>\n");
    for (int i = 0; i < p->n_sections; i++)
        hst_buf_printf(b, "<li><a href=\"#%s\">%s</a></li>\n", p->section[i].id,
                       p->section[i].heading);
    hst_buf_puts(b, "</ul></nav>\n</header>\n");
}

/* The same of photos with labels, or a number: labels have too many columns for a half. */
static int put_target_top(hst_page *p, hst_err *err)
{
    if (p->e->target == HST_TARGET_LABELS) {
        const int rc = hst_page_target_headline(p, err);
        return rc ? rc : hst_page_label_scores(p, err);
    }
    hst_buf_puts(&p->body, "<div class=\"top\">\n<div>\n");
    const int rc = hst_page_target_headline(p, err);
    hst_buf_puts(&p->body, "</div>\n<div>\n");
    hst_page_numbers(p);
    hst_buf_puts(&p->body, "</div>\n</div>\n");
    return rc;
}

/* Left and right are columns where there is room. */
static int put_top(hst_page *p, hst_err *err)
{
    if (p->e->target != HST_TARGET_CLASS)
        return put_target_top(p, err);
    hst_buf_puts(&p->body, "<div class=\"top\">\n<div>\n");
    int rc = hst_page_headline(p, err);
    hst_page_matrix(p);
    hst_buf_puts(&p->body, "</div>\n<div>\n");
    hst_page_classes(p);
    rc = rc ? rc : hst_page_pairs(p, err);
    hst_buf_puts(&p->body, "</div>\n</div>\n");
    hst_page_panels(p);
    return rc;
}

static int put_body(hst_page *p, hst_err *err)
{
    int rc = put_top(p, err);
    hst_page_mistakes(p);
    hst_page_labels(p);
    hst_page_unsure(p);
    hst_page_curves(p);
    if (p->e->target == HST_TARGET_CLASS)
        rc = rc ? rc : hst_page_calibration(p, err);
    hst_page_growth(p);
    hst_page_copies(p);
    hst_page_inspection(p);
    hst_page_steps(p);
    hst_page_skipped(p);
    hst_page_making(p);
    hst_page_job(p);
    hst_page_model(p);
    return rc ? rc : hst_buf_check(&p->body, err);
}

/* The list of contents, and which pictures there are, are known when the body is. */
static int put_page(hst_buf *b, hst_page *p, hst_err *err)
{
    int rc = hst_page_head(b, p->in->title, err);
    put_header(b, p);
    hst_buf_puts(b, "<main id=\"main\" tabindex=\"-1\">\n");
    hst_buf_add(b, p->body.p, p->body.n);
    hst_buf_puts(b, "</main>\n");
    hst_gallery_put(&p->gallery, b);
    hst_buf_printf(b, "<footer>headstart %s</footer>\n</body>\n</html>\n", hst_version());
    return rc ? rc : hst_buf_check(b, err);
}

int hst_report_html(const hst_report_in *in, const char *path, hst_err *err)
{
    hst_page p = {.in = in, .e = in->eval, .body = HST_BUF(PAGE_MAX)};
    hst_buf b = HST_BUF(PAGE_MAX);
    int rc = hst_ranking_make(p.e, 0, &p.rank, err);
    p.panels = rc == 0 && p.e->target == HST_TARGET_CLASS && hst_page_has_panels(&p);
    rc = rc ? rc : hst_page_find_copies(&p, err);
    rc = rc ? rc : hst_gallery_make(&p, err);
    rc = rc ? rc : put_body(&p, err);
    rc = rc ? rc : put_page(&b, &p, err);
    if (rc == 0)
        rc = hst_file_write(path, b.p, b.n, err);
    hst_gallery_clear(&p.gallery);
    hst_ranking_clear(&p.rank);
    free(p.copies);
    free(p.copy_photo);
    hst_buf_free(&p.body);
    hst_buf_free(&b);
    return rc;
}
