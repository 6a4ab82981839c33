#include "scene.h"

#include "base/file.h"

#include <cairo.h>
#include <stdlib.h>
#include <string.h>

char *in_dir(const fixture *f, const char *name)
{
    hst_err e = {0};
    char *path = hst_path_join(f->dir, name, &e);
    assert_non_null(path);
    return path;
}

void write_photo(const fixture *f, const char *name, int w, int h)
{
    char *path = in_dir(f, name);
    cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, w, h);
    cairo_t *c = cairo_create(s);
    cairo_set_source_rgb(c, .2, .6, .3);
    cairo_paint(c);
    assert_int_equal(cairo_surface_write_to_png(s, path), CAIRO_STATUS_SUCCESS);
    cairo_destroy(c);
    cairo_surface_destroy(s);
    free(path);
}

const char *const scene_labels[2] = {"a & <b>", "\"quoted\", with comma"};

int scene_set_up(void **state)
{
    static const char *const names[] = {"1.png", "2.png", "<img src=x>.png", "gone.png"};
    static const int truth[] = {0, 1, 0, 1};
    static const float prob[][2] = {{.9f, .1f}, {.25f, .75f}, {.1f, .9f}, {.6f, .4f}};
    hst_err err = {0};
    fixture *f = calloc(1, sizeof *f);
    f->dir = temporary_folder();
    f->eval = hst_eval_new(scene_labels, 2, 4, &err);
    assert_non_null(f->eval);
    for (int i = 0; i < 4; i++) {
        char *path = in_dir(f, names[i]);
        if (i < 3)
            write_photo(f, names[i], 40 + 20 * i, 30);
        check_ok(hst_eval_add(f->eval,
                              &(hst_judged){.path = path, .truth = truth[i], .prob = prob[i]},
                              &err),
                 &err);
        free(path);
    }
    check_ok(hst_eval_finish(f->eval, &err), &err);
    *state = f;
    return 0;
}

int scene_tear_down(void **state)
{
    fixture *f = *state;
    hst_eval_free(f->eval);
    remove_tree(f->dir);
    free(f->dir);
    free(f->bytes);
    free(f);
    return 0;
}

const char *read_back(fixture *f, const char *name)
{
    hst_err err = {0};
    char *path = in_dir(f, name);
    free(f->bytes);
    f->bytes = NULL;
    check_ok(hst_file_read(path, 64 << 20, HST_EDATA, &f->bytes, &f->n, &err), &err);
    free(path);
    return (const char *)f->bytes;
}

int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *s = text; (s = strstr(s, what)); s += strlen(what))
        n++;
    return n;
}
