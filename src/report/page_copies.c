/* page_copies.c - photos that are there more than once, the ones in several classes first. */
#include "base/mem.h"
#include "report/page.h"

#include <stdlib.h>

/* Those that disagree first, then the order of the data. */
static int by_weight(const void *pa, const void *pb)
{
    const hst_copies *a = pa, *b = pb;
    if (a->classes_differ != b->classes_differ)
        return a->classes_differ ? -1 : 1;
    return a->photo[0] < b->photo[0] ? -1 : a->photo[0] > b->photo[0];
}

/* What all photos of a group have in common, when photo i is one more of it. */
static void look_at(const hst_report_in *in, size_t i, hst_copies *c)
{
    c->classes_differ |= !hst_data_same_known(in->data, i, c->photo[0]);
    c->same &= in->pixels[i] == in->pixels[c->photo[0]];
}

/* Groups of two and more, in the order of their first photos. count[i]: photos of the group that i
 * is the first of; becomes its place in out. photo: room for all of theirs. */
static void fill(const hst_report_in *in, size_t *count, size_t *photo, hst_copies *out)
{
    const size_t *group = in->near->group;
    size_t found = 0, next = 0;
    for (size_t i = 0; i < in->near->n; i++) {
        if (group[i] == i && count[i] > 1) {
            out[found] = (hst_copies){.photo = photo + next, .same = 1};
            next += count[i];
            count[i] = found++;
        } else if (group[i] == i) {
            count[i] = SIZE_MAX; /* alone */
        }
        if (count[group[i]] == SIZE_MAX)
            continue;
        hst_copies *c = &out[count[group[i]]];
        photo[(size_t)(c->photo - photo) + c->n++] = i;
        look_at(in, i, c);
    }
}

int hst_page_find_copies(hst_page *p, hst_err *err)
{
    const hst_near *near = p->in->near;
    size_t photos = 0;
    if (!near)
        return 0;
    size_t *count = hst_alloc(near->n, sizeof *count, err);
    if (!count)
        return HST_EMEM;
    for (size_t i = 0; i < near->n; i++)
        count[near->group[i]]++;
    for (size_t i = 0; i < near->n; i++) {
        p->n_copies += count[i] > 1;
        photos += count[i] > 1 ? count[i] : 0;
    }
    p->copy_photo = hst_alloc(photos, sizeof *p->copy_photo, err);
    p->copies = p->copy_photo ? hst_alloc(p->n_copies, sizeof *p->copies, err) : NULL;
    if (p->copies) {
        fill(p->in, count, p->copy_photo, p->copies);
        qsort(p->copies, p->n_copies, sizeof *p->copies, by_weight);
    }
    free(count);
    return p->copies ? 0 : HST_EMEM;
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
