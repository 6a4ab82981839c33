/* page_photos.c - photos worth looking at: the surest mistakes, labels that are likely wrong, the
 * least sure answers. */
#include "report/page.h"

static void put_cards(hst_page *p, const hst_ranked *r, size_t n)
{
    hst_buf_puts(&p->body, "<div class=\"photos\">\n");
    for (size_t i = 0; i < n; i++)
        hst_page_card(p, r[i].photo, 1);
    hst_buf_puts(&p->body, "</div>\n");
}

/* The surest mistakes beside what speaks for them. */
static void put_mapped(hst_page *p)
{
    hst_buf *b = &p->body;
    const size_t n = p->gallery.n_maps;
    if (n == 0)
        return;
    hst_buf_puts(b, "<p class=\"note\">Beside the ");
    if (n > 1)
        hst_buf_printf(b, "first %zu", n);
    else
        hst_buf_puts(b, "first");
    hst_buf_printf(b,
                   ": where on the photo the model sees the label that it %s, brighter the more "
                   "it speaks for it; a line is around what does so at least half as much as the "
                   "most.</p>\n<div class=\"pairs\">\n",
                   p->e->target == HST_TARGET_LABELS ? "has most wrong" : "gave");
    for (size_t i = 0; i < n; i++)
        hst_page_mapped_card(p, i);
    hst_buf_puts(b, "</div>\n");
}

void hst_page_mistakes(hst_page *p)
{
    hst_buf *b = &p->body;
    const size_t n = p->rank.n_wrong;
    const size_t most = p->e->target == HST_TARGET_NUMBER ? HST_CLOSE_PHOTOS : HST_WRONG_PHOTOS;
    const size_t shown = n < most ? n : most;
    if (p->e->n == 0)
        return;
    hst_page_begin(p, "wrong", p->e->target == HST_TARGET_NUMBER ? "Furthest off" : "Wrong photos");
    if (p->e->target == HST_TARGET_NUMBER)
        hst_buf_puts(b, "<p>Predicted, and what it is.</p>\n");
    else if (n == 0)
        hst_buf_puts(b, "<p>None: every photo that was measured was named rightly.</p>\n");
    else if (n == 1)
        hst_buf_puts(b, "<p>The only one.</p>\n");
    else if (shown < n)
        hst_buf_printf(b, "<p>The %zu surest mistakes of %zu.</p>\n", shown, n);
    else
        hst_buf_printf(b, "<p>All %zu, the surest mistakes first.</p>\n", n);
    put_mapped(p);
    if (shown > p->gallery.n_maps)
        put_cards(p, p->rank.wrong + p->gallery.n_maps, shown - p->gallery.n_maps);
    hst_page_end(p);
}

static void put_suspect(hst_page *p, const hst_review_photo *r)
{
    hst_buf *b = &p->body;
    hst_page_bare_card_begin(p, r->path);
    hst_buf_puts(b, "labelled <b>");
    hst_page_path(b, hst_eval_label(p->e, r->label));
    hst_buf_puts(b, "</b><br>likely <b>");
    hst_page_path(b, hst_eval_label(p->e, r->suggested));
    hst_buf_puts(b, "</b> ");
    hst_page_percent(b, r->suggested_prob);
    hst_page_bare_card_end(p, r->path);
}

void hst_page_labels(hst_page *p)
{
    hst_buf *b = &p->body;
    const hst_review_photo *r;
    size_t n = 0;
    while (p->in->review && hst_review_at(p->in->review, HST_REVIEW_WRONG, n))
        n++;
    if (n == 0)
        return;
    hst_page_begin(p, "labels", "Likely wrong labels");
    hst_buf_puts(b, "<p>Of all photos, ");
    hst_page_count(b, n, "has a label that is", "have labels that are");
    hst_buf_puts(b, " doubted by classifiers that had not seen the photo and by the photos most "
                    "like it");
    if (n > HST_REVIEW_PHOTOS)
        hst_buf_printf(b, "; the %d least credible", HST_REVIEW_PHOTOS);
    hst_buf_puts(b, ". Many will be right after all: look at each. <code>headstart review</code> "
                    "lists them with what could be done.</p>\n<div class=\"photos\">\n");
    for (size_t i = 0;
         i < HST_REVIEW_PHOTOS && (r = hst_review_at(p->in->review, HST_REVIEW_WRONG, i)); i++)
        put_suspect(p, r);
    hst_buf_puts(b, "</div>\n");
    hst_page_end(p);
}

void hst_page_unsure(hst_page *p)
{
    const hst_ranking *r = &p->rank;
    if (r->n == 0 || p->e->n_classes < 2)
        return;
    hst_page_begin(p, "unsure", "Least sure");
    hst_buf_puts(&p->body, "<p>Right or wrong by a hair: the two likeliest labels are closest here."
                           "</p>\n");
    put_cards(p, r->close, r->n_close);
    hst_page_end(p);
}
