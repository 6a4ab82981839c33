/* page_copies.c - photos that are there more than once, the ones in several classes first. */
#include "base/mem.h"
#include "report/page.h"

#include <stdlib.h>

/* Photos of one picture, or of nearly the same. */
typedef struct member {
    size_t group, photo;
} member;

static int by_group(const void *pa, const void *pb)
{
    const member *a = pa, *b = pb;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    return a->photo < b->photo ? -1 : a->photo > b->photo;
}

/* Those that disagree first, then the order of the data. */
static int by_weight(const void *pa, const void *pb)
{
    const hst_copies *a = pa, *b = pb;
    if (a->classes_differ != b->classes_differ)
        return a->classes_differ ? -1 : 1;
    return a->photo[0] < b->photo[0] ? -1 : a->photo[0] > b->photo[0];
}

/* Groups of two and more out of n members in order; photo[n] holds their photos. */
static size_t fill(const hst_report_in *in, const member *m, size_t n, size_t *photo,
                   hst_copies *out)
{
    size_t found = 0;
    for (size_t i = 0, k; i < n; i = k) {
        hst_copies c = {.photo = photo + i, .same = 1};
        for (k = i; k < n && m[k].group == m[i].group; k++) {
            photo[k] = m[k].photo;
            c.classes_differ |= !hst_data_same_known(in->data, m[k].photo, m[i].photo);
            c.same &= in->pixels[m[k].photo] == in->pixels[m[i].photo];
        }
        c.n = k - i;
        if (c.n > 1)
            out[found++] = c;
    }
    return found;
}

int hst_page_find_copies(hst_page *p, hst_err *err)
{
    const hst_report_in *in = p->in;
    if (!in->near)
        return 0;
    const size_t n = in->near->n;
    member *m = hst_alloc(n, sizeof *m, err);
    p->copy_photo = m ? hst_alloc(n, sizeof *p->copy_photo, err) : NULL;
    p->copies = p->copy_photo ? hst_alloc(n, sizeof *p->copies, err) : NULL;
    if (!p->copies) {
        free(m);
        return HST_EMEM;
    }
    for (size_t i = 0; i < n; i++)
        m[i] = (member){in->near->group[i], i};
    qsort(m, n, sizeof *m, by_group);
    p->n_copies = fill(in, m, n, p->copy_photo, p->copies);
    qsort(p->copies, p->n_copies, sizeof *p->copies, by_weight);
    free(m);
    return 0;
}

static const char *differing(const hst_data *d)
{
    return d->target == HST_TARGET_LABELS   ? ", with different labels"
           : d->target == HST_TARGET_NUMBER ? ", with different numbers"
                                            : ", in different classes";
}

static void put_known(hst_buf *b, const hst_data *d, size_t photo)
{
    hst_buf text = HST_BUF(1 << 16);
    hst_data_put_known(d, photo, &text);
    hst_buf_puts(b, "<b>");
    hst_page_path(b, text.p ? text.p : "no label");
    hst_buf_puts(b, "</b>");
    hst_buf_free(&text);
}

static void put_group(hst_page *p, const hst_copies *c)
{
    hst_buf *b = &p->body;
    const hst_photo *photos = p->in->data->photos;
    hst_buf_printf(b, "<div class=\"group\">\n<h3>%zu %s%s</h3>\n<div class=\"photos\">\n", c->n,
                   c->same ? "files of the same picture" : "photos that are nearly the same",
                   c->classes_differ ? differing(p->in->data) : "");
    for (size_t i = 0; i < c->n && i < HST_COPIES_PHOTOS; i++) {
        const hst_photo *photo = &photos[c->photo[i]];
        hst_page_bare_card_begin(p, photo->path);
        put_known(b, p->in->data, c->photo[i]);
        hst_page_bare_card_end(p, photo->path);
    }
    hst_buf_puts(b, "</div>\n</div>\n");
}

void hst_page_copies(hst_page *p)
{
    hst_buf *b = &p->body;
    size_t photos = 0, differ = 0;
    if (p->n_copies == 0)
        return;
    for (size_t i = 0; i < p->n_copies; i++) {
        photos += p->copies[i].n;
        differ += (size_t)p->copies[i].classes_differ;
    }
    hst_page_begin(p, "copies", "Copies and near copies");
    hst_buf_printf(b, "<p>%zu photos are there more than once, in ", photos);
    hst_page_count(b, p->n_copies, "group", "groups");
    hst_buf_puts(b, ".");
    if (differ) {
        hst_buf_puts(b, " <b>");
        hst_page_count(b, differ, "group has", "groups have");
        hst_buf_puts(b, p->in->data->target == HST_TARGET_CLASS
                            ? " different classes: one of the labels is wrong, or both say the "
                              "same.</b>"
                            : " been given different ones: one of them is wrong.</b>");
    }
    if (p->n_copies > HST_COPIES_GROUPS)
        hst_buf_printf(b, " %d groups are shown.", HST_COPIES_GROUPS);
    hst_buf_puts(b, "</p>\n<div class=\"groups\">\n");
    for (size_t i = 0; i < p->n_copies && i < HST_COPIES_GROUPS; i++)
        put_group(p, &p->copies[i]);
    hst_buf_puts(b, "</div>\n");
    hst_page_end(p);
}
