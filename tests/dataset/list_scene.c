#include "list_scene.h"

#include "base/buf.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hst_ctx context = {0};

/* ---- a folder of files ---- */

void put_bytes(const made *m, const char *name, const char *bytes, size_t n)
{
    hst_err e = {0};
    char *path = hst_path_join(m->dir, name, &e);
    assert_non_null(path);
    char *slash = strrchr(path, '/');
    *slash = 0;
    check_ok(hst_mkdirs(path, &e), &e);
    *slash = '/';
    check_ok(hst_file_write(path, bytes, n, &e), &e);
    free(path);
}

void put(const made *m, const char *name, const char *text)
{
    put_bytes(m, name, text, strlen(text));
}

/* Photos of those names, with a space between. Each has other bytes. */
made make(const char *photos)
{
    const made m = {temporary_folder()};
    char name[256];
    while (*photos) {
        const size_t n = strcspn(photos, " ");
        snprintf(name, sizeof name, "%.*s", (int)n, photos);
        put(&m, name, name);
        photos += n + (photos[n] == ' ');
    }
    return m;
}

void drop(made *m)
{
    remove_tree(m->dir);
    free(m->dir);
}

/* ---- what became of it ---- */

static const char *side_name(const hst_photo *p)
{
    return p->side == HST_TRAIN ? "+" : p->side == HST_VALIDATION ? "?" : "";
}

/* What photo i shows: "cat", "cat&dog", "3.5". */
static void put_what(const hst_data *d, size_t i, hst_buf *b)
{
    int n = 0;
    if (d->target == HST_TARGET_NUMBER)
        hst_buf_double(b, hst_data_number(d, i));
    if (d->target == HST_TARGET_CLASS)
        hst_buf_puts(b, hst_data_class(d, hst_data_label(d, i)));
    for (int c = 0; d->target == HST_TARGET_LABELS && c < d->n_classes; c++)
        if (hst_data_marks(d, i)[c])
            hst_buf_printf(b, "%s%s", n++ ? "&" : "", d->classes[c]);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "a.jpg+=cat c.jpg?=dog; left: b.jpg": + is the training side, ? the other. */
static void describe(const hst_data *d, const made *m, hst_buf *b)
{
    const size_t n = strlen(m->dir) + 1;
    for (size_t i = 0; i < d->n_photos; i++) {
        const char *path = d->photos[i].path;
        hst_buf_printf(b, "%s%s%s=", i ? " " : "", strncmp(path, m->dir, n - 1) ? path : path + n,
                       side_name(&d->photos[i]));
        put_what(d, i, b);
    }
    const char *left[64];
    size_t n_left = 0;
    while (n_left < 64 && (left[n_left] = hst_data_left_out(d, n_left, NULL, NULL)))
        n_left++;
    for (size_t i = 0; i < n_left; i++)
        left[i] += strncmp(left[i], m->dir, n - 1) ? 0 : n;
    qsort(left, n_left, sizeof *left, by_text);
    for (size_t i = 0; i < n_left; i++)
        hst_buf_printf(b, "%s%s", i ? ", " : "; left: ", left[i]);
}

hst_data_opts opts(void)
{
    hst_data_opts o = hst_data_opts_default();
    o.split = "none";
    return o;
}

hst_data *open_as(const made *m, const char *word, const hst_data_opts *o, hst_err *e)
{
    char *path = hst_path_join(m->dir, word, NULL);
    hst_data *d = hst_data_open(&context, path, o, e);
    free(path);
    return d;
}

/* Opens the word below the folder ("" is itself) and compares. */
void check_with(const made *m, const char *word, const hst_data_opts *o, const char *want)
{
    hst_err e = {0};
    hst_buf b = HST_BUF(1 << 20);
    hst_data *d = open_as(m, word, o, &e);
    if (!d)
        fail_msg("unexpected error %d: %s", e.code, e.msg);
    describe(d, m, &b);
    check_ok(hst_buf_check(&b, &e), &e);
    assert_string_equal(b.p, want);
    hst_buf_free(&b);
    hst_data_free(d);
}

void check(const made *m, const char *word, const char *want)
{
    const hst_data_opts o = opts();
    check_with(m, word, &o, want);
}

void refused_with(const made *m, const char *word, const hst_data_opts *o, const char *words)
{
    hst_err e = {0};
    assert_null(open_as(m, word, o, &e));
    assert_true(e.code == HST_EDATA || e.code == HST_EARG);
    if (!strstr(e.msg, words))
        fail_msg("'%s' does not say '%s'", e.msg, words);
}

void refused(const made *m, const char *word, const char *words)
{
    const hst_data_opts o = opts();
    refused_with(m, word, &o, words);
}

/* Writes a list beside the photos and compares. */
void check_list(const made *m, const char *name, const char *text, const char *want)
{
    put(m, name, text);
    check(m, name, want);
}
