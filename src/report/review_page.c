#include "report/review_page.h"
#include "report/page.h"
#include "report/thumbnail.h"

#include <string.h>

enum {
    THUMBNAIL_PX = 160,  /* the longer side of a picture */
    WRONG_MAX = 120,     /* pictures of a list */
    OTHERS_MAX = 36,     /* of outliers, of hard ones */
    COPIES_MAX = 24,     /* groups */
    COPIES_OF_MAX = 6,   /* pictures of a group */
    BYTES_MAX = 4 << 20, /* of all pictures; behind that, names alone */
};

typedef struct page {
    const hst_review *r;
    hst_buf *b;
    hst_err *err;
    int rc;
} page;

/* A photo that has gone since is no reason to lose the page. */
static void put_picture(page *p, const hst_review_photo *photo, const char *name)
{
    hst_image img = {0};
    const int full = p->b->n > BYTES_MAX;
    int rc = full || p->rc
                 ? -1
                 : hst_thumbnail_read(&p->r->ctx, photo->path, THUMBNAIL_PX, &img, p->err);
    if (rc == HST_EMEM)
        p->rc = rc;
    if (rc) {
        hst_buf_printf(p->b, "<span class=\"gone\">%s</span>",
                       full ? "not in this file" : "cannot be shown");
        return;
    }
    hst_buf_printf(p->b, "<img class=\"pic\" width=\"%d\" height=\"%d\" alt=\"", img.w, img.h);
    hst_page_text(p->b, name);
    hst_buf_puts(p->b, "\" src=\"");
    p->rc = hst_thumbnail_uri(&img, p->b, p->err);
    hst_buf_puts(p->b, "\">");
    hst_image_clear(&img);
}

static void put_class(page *p, const char *before, int c, double prob)
{
    hst_buf_printf(p->b, "%s<b>", before);
    hst_page_text(p->b, p->r->data->classes[c]);
    hst_buf_puts(p->b, "</b>");
    if (prob < 0)
        return;
    hst_buf_puts(p->b, " ");
    hst_page_percent(p->b, prob);
}

/* What is to be said of a photo depends on the list. */
static void put_words(page *p, const hst_review_photo *f, enum hst_review_list list)
{
    if (list == HST_REVIEW_WRONG || (list == HST_REVIEW_OUTLIERS && f->suggested != f->label)) {
        put_class(p, "", f->suggested, f->suggested_prob);
        put_class(p, "<br>not ", f->label, 1 - f->score);
    } else if (list == HST_REVIEW_HARD) {
        put_class(p, "", f->label, 1 - f->score);
    } else {
        put_class(p, "", f->label, -1);
    }
    if (list == HST_REVIEW_OUTLIERS) {
        hst_buf_puts(p->b, "<br>distance ");
        hst_page_fixed(p->b, f->distance, 2);
    }
}

static void put_photo(page *p, const hst_review_photo *f, enum hst_review_list list)
{
    const char *name = p->r->data->photos[f->photo].relative;
    hst_buf_puts(p->b, "<figure>");
    put_picture(p, f, name);
    hst_buf_puts(p->b, "<figcaption>");
    put_words(p, f, list);
    hst_buf_puts(p->b, "<span class=\"path\" title=\"");
    hst_page_text(p->b, f->path);
    hst_buf_puts(p->b, "\">");
    hst_page_path(p->b, name);
    hst_buf_puts(p->b, "</span></figcaption></figure>\n");
}

typedef struct chapter {
    enum hst_review_list list;
    const char *id, *heading, *words;
    size_t most;
} chapter;

static const chapter chapters[] = {
    {HST_REVIEW_WRONG, "wrong", "Labels that are likely wrong",
     "Classifiers that had not learned from these photos, and the photos most like them, speak for "
     "another label: the first one. plan.sh would move them.",
     WRONG_MAX},
    {HST_REVIEW_OUTLIERS, "outliers", "Unlike all others",
     "Much farther from their nearest photos than the rest: another subject, a broken picture, or "
     "the only one of its kind.",
     OTHERS_MAX},
    {HST_REVIEW_HARD, "hard", "Right, but hard",
     "The label leads by little. Such photos are worth more of their kind.", OTHERS_MAX}};

static void begin(page *p, const char *id, const char *heading)
{
    hst_buf_printf(p->b, "<section id=\"%s\" aria-labelledby=\"%s-h\">\n<h2 id=\"%s-h\">%s</h2>\n",
                   id, id, id, heading);
}

static void put_chapter(page *p, const chapter *c)
{
    const size_t n = p->r->n_list[c->list], shown = n < c->most ? n : c->most;
    begin(p, c->id, c->heading);
    if (n == 0) {
        hst_buf_puts(p->b, "<p>None.</p>\n</section>\n");
        return;
    }
    hst_buf_printf(p->b, "<p>%s</p>\n<p>", c->words);
    hst_page_count(p->b, n, "photo", "photos");
    if (shown < n)
        hst_buf_printf(p->b, ", of which these are the first %zu; review.csv has all", shown);
    hst_buf_puts(p->b, ".</p>\n<div class=\"photos\">\n");
    for (size_t i = 0; p->rc == 0 && i < shown; i++)
        put_photo(p, hst_review_at(p->r, c->list, i), c->list);
    hst_buf_puts(p->b, "</div>\n</section>\n");
}

static int in_several_classes(const hst_review *r, size_t g)
{
    const hst_review_photo *p;
    for (size_t i = 1; (p = hst_review_copy(r, g, i)); i++)
        if (p->label != hst_review_copy(r, g, 0)->label)
            return 1;
    return 0;
}

static void put_copies(page *p)
{
    const size_t n = p->r->n_groups, shown = n < COPIES_MAX ? n : COPIES_MAX;
    begin(p, "copies", "Copies");
    if (n == 0) {
        hst_buf_puts(p->b, "<p>None.</p>\n</section>\n");
        return;
    }
    hst_buf_puts(p->b, "<p>");
    hst_page_count(p->b, n, "picture is there", "pictures are there");
    hst_buf_puts(p->b, " more than once: the same pixels, or resized, cropped a little, "
                       "brightened or mirrored");
    if (shown < n)
        hst_buf_printf(p->b, "; these are the first %zu", shown);
    hst_buf_puts(p->b, ".</p>\n");
    for (size_t g = 0; p->rc == 0 && g < shown; g++) {
        const size_t copies = p->r->group[g + 1] - p->r->group[g];
        hst_buf_printf(p->b, "<h3>%zu files%s</h3>\n<div class=\"photos\">\n", copies,
                       in_several_classes(p->r, g) ? ", in several classes" : "");
        for (size_t i = 0; i < copies && i < COPIES_OF_MAX; i++)
            put_photo(p, hst_review_copy(p->r, g, i), HST_REVIEW_ALL);
        hst_buf_puts(p->b, "</div>\n");
    }
    hst_buf_puts(p->b, "</section>\n");
}

static void put_header(page *p, const char *title)
{
    const hst_review *r = p->r;
    char name[1024];
    hst_buf_puts(p->b, "<body>\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header>"
                       "\n<h1 title=\"");
    hst_page_text(p->b, title);
    hst_buf_puts(p->b, "\">Review of ");
    hst_page_path(p->b, hst_page_base(title, name));
    hst_buf_puts(p->b, "</h1>\n<p>");
    hst_page_count(p->b, r->n, "photo", "photos");
    hst_buf_printf(p->b, " in %d classes", r->data->n_classes);
    if (r->n_skipped)
        hst_buf_printf(p->b, ", and %zu that could not be read", r->n_skipped);
    hst_buf_puts(p->b, "</p>\n<nav aria-label=\"Sections\"><ul>\n");
    for (size_t i = 0; i < sizeof chapters / sizeof *chapters; i++)
        hst_buf_printf(p->b, "<li><a href=\"#%s\">%s</a> (%zu)</li>\n", chapters[i].id,
                       chapters[i].heading, r->n_list[chapters[i].list]);
    hst_buf_printf(p->b, "<li><a href=\"#copies\">Copies</a> (%zu)</li>\n</ul></nav>\n</header>\n",
                   r->n_groups);
}

int hst_review_page(const hst_review *r, hst_buf *b, hst_err *err)
{
    page p = {.r = r, .b = b, .err = err};
    const char *title = r->data->dir ? r->data->dir : "";
    p.rc = hst_page_head(b, title, err);
    put_header(&p, title);
    hst_buf_puts(b, "<main id=\"main\" tabindex=\"-1\">\n");
    for (size_t i = 0; i < sizeof chapters / sizeof *chapters; i++)
        put_chapter(&p, &chapters[i]);
    put_copies(&p);
    hst_buf_printf(b, "</main>\n<footer>headstart %s</footer>\n</body>\n</html>\n", hst_version());
    return p.rc ? p.rc : hst_buf_check(b, err);
}
