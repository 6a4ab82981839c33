/* review_folder.c - a review as files: a page with pictures, a table, and a plan of moves. */
#include "base/buf.h"
#include "base/file.h"
#include "report/page.h"
#include "report/review_page.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int write_buf(hst_buf *b, const char *dir, const char *name, hst_err *err)
{
    int rc = hst_buf_check(b, err);
    char *path = rc ? NULL : hst_path_join(dir, name, err);
    if (path)
        rc = hst_file_write(path, b->p, b->n, err);
    else if (rc == 0)
        rc = HST_EMEM;
    free(path);
    hst_buf_free(b);
    return rc;
}

/* ---- the table ---- */

static int save_table(const hst_review *r, const char *dir, hst_err *err)
{
    hst_buf b = HST_BUF(SIZE_MAX / 2);
    const hst_review_photo *p;
    hst_buf_puts(&b, "path,label,suggested,score,suggested_probability,distance,wrong,outlier,hard,"
                     "judged\n");
    for (size_t i = 0; (p = hst_review_at(r, HST_REVIEW_ALL, i)); i++) {
        const char *const texts[] = {p->path, r->data->classes[p->label],
                                     r->data->classes[p->suggested]};
        const double numbers[] = {p->score, p->suggested_prob, p->distance};
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
            hst_buf_csv(&b, texts[k]);
            hst_buf_puts(&b, ",");
        }
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
            hst_buf_double(&b, numbers[k]);
            hst_buf_puts(&b, ",");
        }
        hst_buf_printf(&b, "%d,%d,%d,%d\n", p->wrong, p->outlier, p->hard, p->judged);
    }
    return write_buf(&b, dir, "review.csv", err);
}

/* ---- the plan ---- */

/* One word for a shell, whatever is in s. */
static void put_word(hst_buf *b, const char *s)
{
    hst_buf_puts(b, " '");
    for (; *s; s++) {
        if (*s == '\'')
            hst_buf_puts(b, "'\\''");
        else
            hst_buf_add(b, s, 1);
    }
    hst_buf_puts(b, "'");
}

/* A name in a comment, which ends with its line. */
static void put_remark(hst_buf *b, const char *name)
{
    char clean[1024];
    hst_printable(clean, sizeof clean, name);
    hst_buf_puts(b, clean);
}

/* Where in path the folder of its class begins: the first one of that name, behind train/ or val/;
 * in a validation folder elsewhere, whose place is not known, the last. NULL: there is none. */
static const char *class_in(const hst_data *d, const hst_photo *p)
{
    const char *name = d->classes[p->label], *found = NULL;
    const size_t n = strlen(name);
    const int elsewhere = p->relative == p->path;
    int skip = d->split == HST_SPLIT_FOLDERS && !elsewhere;
    const char *at = p->path + (strlen(p->path) - strlen(p->relative));
    for (const char *slash; (slash = strchr(at, '/')); at = slash + 1) {
        const int same = (size_t)(slash - at) == n && memcmp(at, name, n) == 0;
        if (skip-- > 0 || !same)
            continue;
        found = at;
        if (!elsewhere)
            break;
    }
    return found;
}

static void put_move(hst_buf *b, const hst_review *r, const hst_review_photo *p)
{
    const hst_photo *photo = &r->data->photos[p->photo];
    const char *at = class_in(r->data, photo);
    hst_buf to = HST_BUF(SIZE_MAX / 2);
    if (!at)
        return;
    hst_buf_add(&to, photo->path, (size_t)(at - photo->path));
    hst_buf_puts(&to, r->data->classes[p->suggested]);
    hst_buf_puts(&to, at + strlen(r->data->classes[p->label]));
    hst_buf_puts(b, "# ");
    put_remark(b, r->data->classes[p->label]);
    hst_buf_puts(b, " -> ");
    put_remark(b, r->data->classes[p->suggested]);
    hst_buf_puts(b, ", score ");
    hst_page_fixed(b, p->score, 2);
    hst_buf_puts(b, "\nrelabel");
    put_word(b, photo->path);
    put_word(b, to.p ? to.p : "");
    hst_buf_puts(b, "\n");
    if (to.failed)
        b->failed = to.failed;
    hst_buf_free(&to);
}

static void put_aside(hst_buf *b, const hst_review_photo *p)
{
    hst_buf_puts(b, "put_aside");
    put_word(b, p->path);
    hst_buf_puts(b, "\n");
}

static const char plan_head[] =
    "#!/bin/sh\n"
    "# What headstart review suggests. Nothing has been moved yet. Read it beside review.html, "
    "take\n"
    "# out the lines that you do not agree with, and run it: sh plan.sh\n"
    "# A file is never overwritten: where the name is taken it stays where it is.\n\n"
    "# Copies and outliers are left where they are, unless this names a folder for them:\n"
    "aside=''\n\n"
    "move() {\n"
    "    if [ -e \"$2\" ] || [ -L \"$2\" ]; then\n"
    "        printf 'left, the name is taken: %s\\n' \"$1\"\n"
    "    else\n"
    "        mkdir -p -- \"${2%/*}\" && mv -n -- \"$1\" \"$2\"\n"
    "    fi\n"
    "}\n"
    "relabel() { move \"$1\" \"$2\"; }\n"
    "put_aside() { [ -z \"$aside\" ] || move \"$1\" \"$aside/${1##*/}\"; }\n\n";

static int save_plan(const hst_review *r, const char *dir, hst_err *err)
{
    hst_buf b = HST_BUF(SIZE_MAX / 2);
    const hst_review_photo *p;
    char here[4096];
    hst_buf_puts(&b, plan_head);
    if (getcwd(here, sizeof here)) { /* paths may be relative */
        hst_buf_puts(&b, "cd --");
        put_word(&b, here);
        hst_buf_puts(&b, " || exit 1\n");
    }
    hst_buf_puts(&b, "\n# Labels that are likely wrong, the most suspicious first.\n");
    for (size_t i = 0; (p = hst_review_at(r, HST_REVIEW_WRONG, i)); i++)
        put_move(&b, r, p);
    hst_buf_puts(&b, "\n# Copies and near copies of the photo that is named in the remark.\n");
    for (size_t g = 0; (p = hst_review_copy(r, g, 0)); g++) {
        hst_buf_puts(&b, "# as ");
        put_remark(&b, p->path);
        hst_buf_puts(&b, "\n");
        for (size_t i = 1; (p = hst_review_copy(r, g, i)); i++)
            put_aside(&b, p);
    }
    hst_buf_puts(&b, "\n# Photos far from all others.\n");
    for (size_t i = 0; (p = hst_review_at(r, HST_REVIEW_OUTLIERS, i)); i++)
        put_aside(&b, p);
    return write_buf(&b, dir, "plan.sh", err);
}

int hst_review_save(const hst_review *r, const char *dir, hst_err *err)
{
    static const char *const files[] = {"review.html", "review.csv", "plan.sh"};
    hst_buf page = HST_BUF(HST_REVIEW_PAGE_MAX);
    int rc = hst_mkdirs(dir, err);
    hst_out_sweep(dir, files, sizeof files / sizeof *files);
    rc = rc ? rc : hst_review_page(r, &page, err);
    rc = rc ? rc : write_buf(&page, dir, "review.html", err);
    hst_buf_free(&page);
    rc = rc ? rc : save_table(r, dir, err);
    return rc ? rc : save_plan(r, dir, err);
}
