/* page_gallery.c - the pictures of the page, each in the file once. */
#include "base/executor.h"
#include "base/mem.h"
#include "report/page.h"
#include "report/thumbnail.h"

#include <stdlib.h>
#include <string.h>

enum {
    THUMBNAIL_PX = 160,  /* their longer side */
    PICTURES_MAX = 160,  /* in the file */
    BYTES_MAX = 2200000, /* all of them together, so that the page stays below 3 MB */
    WRONG_MAX = 120,     /* of the wrong ones, for the cells of the matrix */
    URI_MAX = 1 << 20
};

/* ---- which ---- */

const hst_picture_item *hst_gallery_find(const hst_gallery *g, const char *path)
{
    for (size_t i = 0; i < g->n; i++)
        if (strcmp(g->item[i].path, path) == 0)
            return &g->item[i];
    return NULL;
}

static void add(hst_gallery *g, const char *path)
{
    if (g->n < PICTURES_MAX && !hst_gallery_find(g, path))
        g->item[g->n++] = (hst_picture_item){.path = path, .uri = HST_BUF(URI_MAX)};
}

static void add_ranked(hst_page *p, const hst_ranked *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        add(&p->gallery, hst_eval_at(p->e, r[i].photo)->path);
}

/* Right ones, the classes in turn, as far as there is room. */
static void add_right(hst_page *p)
{
    int more = 1;
    for (size_t turn = 0; more && turn < HST_PANEL_PHOTOS; turn++) {
        more = 0;
        for (int c = 0; c < p->e->n_classes; c++) {
            size_t n;
            const hst_ranked *r = hst_ranking_cell(&p->rank, c, c, &n);
            if (turn >= n)
                continue;
            more = 1;
            add_ranked(p, r + turn, 1);
        }
    }
}

static void add_review(hst_page *p)
{
    const hst_review_photo *r;
    for (size_t i = 0; i < HST_REVIEW_PHOTOS && p->in->review; i++)
        if ((r = hst_review_at(p->in->review, HST_REVIEW_WRONG, i)))
            add(&p->gallery, r->path);
}

static void add_copies(hst_page *p)
{
    for (size_t i = 0; i < p->n_copies && i < HST_COPIES_GROUPS; i++)
        for (size_t k = 0; k < p->copies[i].n && k < HST_COPIES_PHOTOS; k++)
            add(&p->gallery, p->in->data->photos[p->copies[i].photo[k]].path);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The most important first. */
static void choose(hst_page *p)
{
    const hst_ranking *r = &p->rank;
    const int number = p->e->target == HST_TARGET_NUMBER;
    add_ranked(p, r->wrong, least(r->n_wrong, number ? HST_CLOSE_PHOTOS : HST_WRONG_PHOTOS));
    add_review(p);
    add_ranked(p, r->close, r->n_close);
    add_copies(p);
    if (p->e->target != HST_TARGET_CLASS)
        return;
    add_ranked(p, r->wrong, least(r->n_wrong, WRONG_MAX));
    add_right(p);
}

/* ---- making them ---- */

/* A photo that has gone since is no reason to lose the report. */
static int read_one(void *arg, size_t i, int thread, hst_err *err)
{
    const hst_page *p = arg;
    hst_picture_item *t = &p->gallery.item[i];
    hst_image img = {0};
    (void)thread;
    int rc = hst_thumbnail_read(&p->e->ctx, t->path, THUMBNAIL_PX, &img, err);
    if (rc) {
        t->gone = 1;
        return rc == HST_EMEM ? rc : 0;
    }
    rc = hst_thumbnail_uri(&img, &t->uri, err);
    t->w = img.w;
    t->h = img.h;
    hst_image_clear(&img);
    return rc ? rc : hst_buf_check(&t->uri, err);
}

/* A model that has no maps is no reason to lose the report either. */
static int make_maps(hst_page *p, hst_err *err)
{
    hst_gallery *g = &p->gallery;
    hst_cam_wish wish[HST_MAPPED_PHOTOS];
    hst_image img[HST_MAPPED_PHOTOS];
    const size_t n = least(p->rank.n_wrong, HST_MAPPED_PHOTOS);
    if (!p->in->ctx || !p->in->model || n == 0 || p->e->target == HST_TARGET_NUMBER)
        return 0;
    for (size_t i = 0; i < n; i++) {
        const hst_ranked *r = &p->rank.wrong[i];
        wish[i] = (hst_cam_wish){hst_eval_at(p->e, r->photo)->path, r->guess};
    }
    int rc = hst_report_cams(p->in->ctx, p->in->model, wish, n, THUMBNAIL_PX, img, err);
    if (rc)
        return rc == HST_EUNSUP ? 0 : rc;
    for (size_t i = 0; i < n; i++) {
        hst_picture_item *t = &g->map[i];
        *t = (hst_picture_item){.path = wish[i].path, .uri = HST_BUF(URI_MAX)};
        if (rc == 0 && img[i].rgb) {
            rc = hst_thumbnail_uri(&img[i], &t->uri, err);
            t->w = img[i].w;
            t->h = img[i].h;
        }
        hst_image_clear(&img[i]);
    }
    g->n_maps = n;
    return rc;
}

int hst_gallery_make(hst_page *p, hst_err *err)
{
    hst_gallery *g = &p->gallery;
    size_t bytes = 0;
    g->item = hst_alloc(PICTURES_MAX, sizeof *g->item, err);
    g->map = g->item ? hst_alloc(HST_MAPPED_PHOTOS, sizeof *g->map, err) : NULL;
    if (!g->map)
        return HST_EMEM;
    choose(p);
    int rc = make_maps(p, err);
    for (size_t i = 0; i < g->n_maps; i++)
        bytes += g->map[i].uri.n;
    rc = rc ? rc
            : hst_executor_try(p->in->ctx ? p->in->ctx->executor : NULL, g->n, read_one, p, err);
    for (size_t i = 0; i < g->n; i++) {
        bytes += g->item[i].uri.n;
        if (bytes > BYTES_MAX)
            g->item[i].w = 0;
    }
    return rc;
}

static void put_items(hst_buf *b, const char *prefix, const hst_picture_item *item, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!item[i].w)
            continue;
        hst_buf_printf(b, "<image id=\"%s%zu\" width=\"%d\" height=\"%d\" href=\"", prefix, i,
                       item[i].w, item[i].h);
        hst_buf_add(b, item[i].uri.p, item[i].uri.n);
        hst_buf_puts(b, "\"/>\n");
    }
}

void hst_gallery_put(const hst_gallery *g, hst_buf *b)
{
    hst_buf_puts(b, "<svg class=\"pictures\" width=\"0\" height=\"0\" aria-hidden=\"true\">"
                    "<defs>\n");
    put_items(b, "p", g->item, g->n);
    put_items(b, "q", g->map, g->n_maps);
    hst_buf_puts(b, "</defs></svg>\n");
}

void hst_gallery_clear(hst_gallery *g)
{
    for (size_t i = 0; i < g->n; i++)
        hst_buf_free(&g->item[i].uri);
    for (size_t i = 0; i < g->n_maps; i++)
        hst_buf_free(&g->map[i].uri);
    free(g->item);
    free(g->map);
}
