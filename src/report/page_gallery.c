/* page_gallery.c - the pictures of the page, each in the file once, and the card of a photo. */
#include "base/mem.h"
#include "report/page.h"
#include "report/thumbnail.h"

#include <stdlib.h>

enum {
    THUMBNAIL_PX = 160,  /* their longer side */
    PICTURES_MAX = 200,  /* in the file */
    BYTES_MAX = 2200000, /* all of them together, so that the page stays below 3 MB */
    WRONG_MAX = 120,     /* of the wrong ones, for the cells of the matrix */
    DEFS_MAX = 16 << 20
};
static const float NEAR = 0.05f; /* from here on the second label is named */

/* A photo that has gone since is no reason to lose the report. */
static int add(hst_page *p, size_t photo, hst_err *err)
{
    hst_gallery *g = &p->gallery;
    hst_image img = {0};
    if (g->size[photo][0] || g->gone[photo] || g->n == PICTURES_MAX || g->defs.n > BYTES_MAX)
        return 0;
    int rc = hst_thumbnail_read(hst_eval_at(p->e, photo)->path, THUMBNAIL_PX, &img, err);
    if (rc) {
        g->gone[photo] = 1;
        return rc == HST_EMEM ? rc : 0;
    }
    hst_buf_printf(&g->defs, "<image id=\"p%zu\" width=\"%d\" height=\"%d\" href=\"", photo, img.w,
                   img.h);
    rc = hst_thumbnail_uri(&img, &g->defs, err);
    hst_buf_puts(&g->defs, "\"/>\n");
    g->size[photo][0] = (uint16_t)img.w;
    g->size[photo][1] = (uint16_t)img.h;
    g->n++;
    hst_image_clear(&img);
    return rc;
}

static int add_first(hst_page *p, const hst_ranked *r, size_t n, hst_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = add(p, r[i].photo, err);
    return rc;
}

/* Right ones, the classes in turn, as far as there is room. */
static int add_right(hst_page *p, hst_err *err)
{
    int rc = 0, more = 1;
    for (size_t turn = 0; rc == 0 && more && turn < HST_PANEL_PHOTOS; turn++) {
        more = 0;
        for (int c = 0; rc == 0 && c < p->e->n_classes; c++) {
            size_t n;
            const hst_ranked *r = hst_ranking_cell(&p->rank, c, c, &n);
            if (turn >= n)
                continue;
            more = 1;
            rc = add(p, r[turn].photo, err);
        }
    }
    return rc;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

int hst_gallery_make(hst_page *p, hst_err *err)
{
    hst_gallery *g = &p->gallery;
    const hst_ranking *r = &p->rank;
    g->defs = HST_BUF(DEFS_MAX);
    g->size = hst_alloc(p->e->n_photos, sizeof *g->size, err);
    g->gone = g->size ? hst_alloc(p->e->n_photos, 1, err) : NULL;
    if (!g->gone)
        return HST_EMEM;
    int rc = add_first(p, r->wrong, least(r->n_wrong, HST_WRONG_PHOTOS), err);
    if (rc == 0)
        rc = add_first(p, r->close, least(r->n, HST_CLOSE_PHOTOS), err);
    if (rc == 0)
        rc = add_first(p, r->wrong, least(r->n_wrong, WRONG_MAX), err);
    if (rc == 0)
        rc = add_right(p, err);
    return rc ? rc : hst_buf_check(&g->defs, err);
}

void hst_gallery_clear(hst_gallery *g)
{
    hst_buf_free(&g->defs);
    free(g->size);
    free(g->gone);
}

/* ---- a card ---- */

static void put_picture(hst_page *p, size_t photo)
{
    hst_buf *b = &p->body;
    const uint16_t *size = p->gallery.size[photo];
    const hst_eval_photo *e = hst_eval_at(p->e, photo);
    if (!size[0]) {
        hst_buf_printf(b, "<span class=\"gone\">%s</span>",
                       p->gallery.gone[photo] ? "cannot be shown" : "not in this file");
        return;
    }
    hst_buf_printf(
        b,
        "<svg class=\"pic\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\" "
        "aria-label=\"",
        size[0], size[1], size[0], size[1]);
    hst_page_text(b, hst_page_relative(p, e->path));
    hst_buf_printf(b, "\"><use href=\"#p%zu\"/></svg>", photo);
}

/* The largest probability but the guess' own; -1: there is but one class. */
static int runner_up(const hst_page *p, const hst_eval_photo *e)
{
    int second = -1;
    for (int c = 0; c < p->e->n_classes; c++)
        if (c != e->guess && (second < 0 || e->prob[c] > e->prob[second]))
            second = c;
    return second;
}

static void put_label(hst_page *p, const hst_eval_photo *e, const char *before, int c)
{
    hst_buf_printf(&p->body, "%s<b>", before);
    hst_page_text(&p->body, hst_eval_label(p->e, c));
    hst_buf_puts(&p->body, "</b> ");
    hst_page_percent(&p->body, (double)e->prob[c]);
}

/* What was predicted, and what it is. */
static void put_labels(hst_page *p, const hst_eval_photo *e)
{
    const int second = runner_up(p, e);
    put_label(p, e, "", e->guess);
    if (e->guess != e->truth)
        put_label(p, e, "<br>is ", e->truth);
    else if (second >= 0 && e->prob[second] >= NEAR)
        put_label(p, e, "<br>right, before ", second);
    else
        hst_buf_puts(&p->body, "<br>right");
}

void hst_page_card(hst_page *p, size_t photo, int linked)
{
    hst_buf *b = &p->body;
    const hst_eval_photo *e = hst_eval_at(p->e, photo);
    linked = linked && p->panels;
    hst_buf_puts(b, "<figure>");
    if (linked)
        hst_buf_printf(b, "<a href=\"#c%d-%d\">", e->truth, e->guess);
    put_picture(p, photo);
    hst_buf_puts(b, linked ? "</a><figcaption>" : "<figcaption>");
    put_labels(p, e);
    hst_buf_puts(b, "<span class=\"path\" title=\"");
    hst_page_text(b, e->path);
    hst_buf_puts(b, "\">");
    hst_page_path(b, hst_page_relative(p, e->path));
    hst_buf_puts(b, "</span></figcaption></figure>\n");
}
