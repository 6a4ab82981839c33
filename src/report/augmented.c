/* augmented.c - photos as a network saw them while it learned: a row a photo, the prepared photo
 * first, then what augmentation made of it in one pass after the other. */
#include "base/mem.h"
#include "dataset/photo.h"
#include "report/canvas.h"
#include "report/report.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    COLUMNS = 6,
    ROWS_MAX = 8,
    GAP = 8,
    HEAD_PX = 40,
    LABEL_PX = 22,   /* of a name above its row */
    SIDE_MAX = 1024, /* larger inputs of a network are left out */
};

/* What normalisation did, undone. */
static void to_pixels(const hst_pixel_norm *norm, const float *x, size_t n, uint8_t *out)
{
    for (size_t i = 0; i < n; i++) {
        float v = x[i] * norm->std[i % 3] + norm->mean[i % 3] + 0.5f;
        out[i] = (uint8_t)(v > 255 ? 255 : v > 0 ? v : 0);
    }
}

/* What a row is made with. */
struct drawing {
    cairo_t *c;
    float *x;        /* [height][width][3] */
    hst_image pixel; /* the same as pixels */
};

static int row_top(const hst_augmented *in, size_t row)
{
    const int label = in->label ? LABEL_PX : 0;
    return HEAD_PX + (int)row * (in->prep->size.height + GAP + label) + label;
}

static int put_cell(const struct drawing *d, const hst_augmented *in, const hst_image *photo,
                    size_t row, int column, hst_err *err)
{
    size_t n = hst_size_pixels(in->prep->size) * 3;
    hst_augment_key key = {in->seed, (uint32_t)(column > 0 ? column - 1 : 0), in->photo[row]};
    int rc = hst_augment_image(column > 0 ? in->how : HST_AUGMENT_NONE, in->prep, photo, &key, d->x,
                               err);
    if (rc)
        return rc;
    to_pixels(&in->prep->norm, d->x, n, d->pixel.rgb);
    int step = in->prep->size.width + GAP;
    hst_canvas_image(d->c, GAP + column * step + (column > 0 ? GAP : 0), row_top(in, row),
                     &d->pixel);
    return 0;
}

/* A photo that has gone since leaves its row empty. */
static int put_row(const struct drawing *d, const hst_augmented *in, size_t row, hst_err *err)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    hst_image photo = {0};
    if (in->label) {
        cairo_set_source_rgb(d->c, .07, .07, .07);
        hst_canvas_font(d->c, 14, 0);
        hst_canvas_text(d->c, GAP, row_top(in, row) - 6, COLUMNS * (in->prep->size.width + GAP),
                        in->label[row]);
    }
    int rc = hst_photo_read(in->ctx, in->path[row], HST_EIMAGE, &bytes, &n, err);
    if (rc == 0)
        rc = hst_image_decode(&(hst_decode){in->prep->resampler, 0, in->ctx->decoders}, bytes, n,
                              &photo, err);
    for (int i = 0; rc == 0 && i < COLUMNS; i++)
        rc = put_cell(d, in, &photo, row, i, err);
    hst_image_clear(&photo);
    free(bytes);
    return rc == HST_EMEM ? rc : 0;
}

static int draw(const struct drawing *d, const hst_augmented *in, size_t rows, hst_err *err)
{
    char line[120];
    int rc = 0;
    cairo_set_source_rgb(d->c, 1, 1, 1);
    cairo_paint(d->c);
    cairo_set_source_rgb(d->c, .07, .07, .07);
    hst_canvas_font(d->c, 16, 1);
    snprintf(line, sizeof line, "prepared, then %d times with augmentation \"%s\"", COLUMNS - 1,
             hst_augment_names[in->how]);
    hst_canvas_text(d->c, GAP, 26, COLUMNS * (in->prep->size.width + GAP), line);
    for (size_t i = 0; rc == 0 && i < rows; i++)
        rc = put_row(d, in, i, err);
    return rc;
}

int hst_report_augmented(const hst_augmented *in, const char *path, hst_err *err)
{
    const hst_size size = in->prep->size;
    const int step = size.width + GAP;
    size_t rows = in->n < ROWS_MAX ? in->n : ROWS_MAX, n = hst_size_pixels(size);
    if (hst_size_longer(size) > SIDE_MAX)
        return 0;
    cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, COLUMNS * step + 2 * GAP,
                                                    row_top(in, rows) - (in->label ? LABEL_PX : 0));
    struct drawing d = {.c = cairo_create(s), .pixel = {NULL, size.width, size.height}};
    d.x = hst_alloc(n, 3 * sizeof *d.x, err);
    d.pixel.rgb = d.x ? hst_alloc(n, 3, err) : NULL;
    int rc = d.pixel.rgb ? draw(&d, in, rows, err) : HST_EMEM;
    if (rc == 0)
        rc = hst_canvas_save(d.c, s, path, err);
    cairo_destroy(d.c);
    cairo_surface_destroy(s);
    hst_image_clear(&d.pixel);
    free(d.x);
    return rc;
}
