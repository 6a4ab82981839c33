/* page_cards.c - a photo on the page: its picture, labels and path. */
#include "report/page.h"

static const float NEAR = 0.05f; /* from here on the second label is named */

/* what: in front of the path, for who cannot see it. id: "p" and its number among item. */
static void put_svg(hst_page *p, const hst_picture_item *t, const char *what, const char *id,
                    size_t number)
{
    hst_buf *b = &p->body;
    hst_buf_printf(b,
                   "<svg class=\"pic\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
                   "role=\"img\" aria-label=\"%s",
                   t->w, t->h, t->w, t->h, what);
    hst_page_text(b, hst_page_relative(p, t->path));
    hst_buf_printf(b, "\"><use href=\"#%s%zu\"/></svg>", id, number);
}

static void put_picture(hst_page *p, const char *path)
{
    const hst_picture_item *t = hst_gallery_find(&p->gallery, path);
    if (t && t->w)
        put_svg(p, t, "", "p", (size_t)(t - p->gallery.item));
    else
        hst_buf_printf(&p->body, "<span class=\"gone\">%s</span>",
                       t && t->gone ? "cannot be shown" : "not in this file");
}

static void put_path(hst_page *p, const char *path)
{
    hst_buf *b = &p->body;
    hst_buf_puts(b, "<span class=\"path\" title=\"");
    hst_page_text(b, path);
    hst_buf_puts(b, "\">");
    hst_page_path(b, hst_page_relative(p, path));
    hst_buf_puts(b, "</span>");
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
    hst_page_path(&p->body, hst_eval_label(p->e, c));
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

/* Labels that are wrong, the most wrong first, as many as there is room for. */
static void put_wrong_labels(hst_page *p, const hst_eval_photo *e)
{
    enum { ROOM = 4 };
    hst_buf *b = &p->body;
    int n = 0;
    for (int c = 0; c < p->e->n_classes; c++) {
        const int said = e->prob[c] >= p->e->threshold[c];
        if (said == e->marks[c] || n++ >= ROOM)
            continue;
        put_label(p, e, n == 1 ? "" : "<br>", c);
        hst_buf_puts(b, said ? " is not so" : " was missed");
    }
    if (n == 0)
        hst_buf_puts(b, "right");
    if (n > ROOM)
        hst_buf_printf(b, "<br>and %d more", n - ROOM);
}

static void put_known(hst_page *p, const hst_eval_photo *e)
{
    hst_buf *b = &p->body;
    if (p->e->target == HST_TARGET_CLASS) {
        put_labels(p, e);
    } else if (p->e->target == HST_TARGET_LABELS) {
        put_wrong_labels(p, e);
    } else {
        const int decimals = hst_page_decimals(p->e);
        hst_buf_puts(b, "<b>");
        hst_page_signed(b, e->value, decimals);
        hst_buf_puts(b, "</b><br>is <b>");
        hst_page_signed(b, e->number, decimals);
        hst_buf_puts(b, "</b>");
    }
}

static void begin_card(hst_page *p, const hst_eval_photo *e, int linked)
{
    hst_buf *b = &p->body;
    linked = linked && p->panels;
    if (linked)
        hst_buf_printf(b, "<a href=\"#c%d-%d\">", e->truth, e->guess);
    put_picture(p, e->path);
    if (linked)
        hst_buf_puts(b, "</a>");
}

static void end_card(hst_page *p, const hst_eval_photo *e)
{
    hst_buf_puts(&p->body, "<figcaption>");
    put_known(p, e);
    put_path(p, e->path);
    hst_buf_puts(&p->body, "</figcaption></figure>\n");
}

void hst_page_card(hst_page *p, size_t photo, int linked)
{
    const hst_eval_photo *e = hst_eval_at(p->e, photo);
    hst_buf_puts(&p->body, "<figure>");
    begin_card(p, e, linked);
    end_card(p, e);
}

void hst_page_mapped_card(hst_page *p, size_t i)
{
    const hst_eval_photo *e = hst_eval_at(p->e, p->rank.wrong[i].photo);
    const hst_picture_item *map = &p->gallery.map[i];
    hst_buf_puts(&p->body, "<figure><div class=\"pair\">");
    begin_card(p, e, 1);
    if (map->w)
        put_svg(p, map, "What speaks for the label given, on ", "q", i);
    hst_buf_puts(&p->body, "</div>");
    end_card(p, e);
}

void hst_page_bare_card_begin(hst_page *p, const char *path)
{
    hst_buf_puts(&p->body, "<figure>");
    put_picture(p, path);
    hst_buf_puts(&p->body, "<figcaption>");
}

void hst_page_bare_card_end(hst_page *p, const char *path)
{
    put_path(p, path);
    hst_buf_puts(&p->body, "</figcaption></figure>\n");
}
