#include "exports/photos.h"

#include "base/file.h"
#include "base/mem.h"
#include "dataset/photo.h"
#include "dataset/table.h"
#include "evaluation/evaluation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CALIBRATE = 100, MEASURE = 500, MOST_BYTES = 1 << 26, MOST_HASHED = 5000 };

static const hst_prep *prep_of(const hst_model *m)
{
    return &hst_model_plain(m)->view[0].prep;
}

/* ---- sides ---- */

typedef struct told {
    const char *path;
    uint8_t side;
} told;

static int by_path(const void *a, const void *b)
{
    return strcmp(((const told *)a)->path, ((const told *)b)->path);
}

static size_t column(const hst_table *t, const char *name)
{
    size_t i = 0;
    while (i < t->n_columns && strcmp(t->column[i], name) != 0)
        i++;
    return i;
}

/* row[n_rows] of a split.csv, in the order of paths. */
static int read_rows(const hst_table *t, told *row, size_t *n, hst_err *err)
{
    const size_t path = column(t, "path"), side = column(t, "side");
    if (path == t->n_columns || side == t->n_columns)
        return hst_fail(err, HST_EDATA, "it has no columns path and side");
    *n = 0;
    for (size_t i = 0; i < t->n_rows; i++) {
        const char *p = hst_table_text(t, i, path), *s = hst_table_text(t, i, side);
        const int train = s && strcmp(s, "train") == 0;
        if (p && s && (train || strcmp(s, "validation") == 0))
            row[(*n)++] = (told){p, train ? HST_TRAIN : HST_VALIDATION};
    }
    qsort(row, *n, sizeof *row, by_path);
    return 0;
}

static void find_told(const hst_data *d, const told *row, size_t n, uint8_t *side)
{
    for (size_t i = 0; i < d->n_photos; i++) {
        const told key = {d->photos[i].relative, 0};
        const told *found = n ? bsearch(&key, row, n, sizeof *row, by_path) : NULL;
        side[i] = found ? found->side : HST_UNSPLIT;
    }
}

/* As the run has them; photos that it does not know are on no side. */
static int sides_of_run(const hst_data *d, const char *path, uint8_t *side, hst_err *err)
{
    enum { MOST = 1 << 28 };
    hst_arena *arena = hst_arena_new(err);
    hst_table_file file = {.name = "split.csv"};
    hst_table t = {0};
    uint8_t *bytes = NULL;
    told *row = NULL;
    size_t n = 0;
    int rc = arena ? hst_file_read(path, MOST, HST_EDATA, &bytes, &file.n, err) : HST_EMEM;
    file.bytes = bytes;
    rc = rc ? rc : hst_table_parse(arena, &file, &t, err);
    rc = rc ? rc : hst_table_take_header(&t, err);
    if (rc == 0)
        row = hst_alloc(t.n_rows + 1, sizeof *row, err);
    rc = rc ? rc : row ? read_rows(&t, row, &n, err) : HST_EMEM;
    if (rc == 0)
        find_told(d, row, n, side);
    else
        hst_err_at(err, path);
    free(row);
    hst_table_clear(&t);
    free(bytes);
    hst_arena_free(arena);
    return rc;
}

static int content_of(const hst_ctx *ctx, const char *path, hst_digest *out, hst_err *err)
{
    uint8_t *bytes = NULL;
    size_t n;
    int rc = hst_photo_read(ctx, path, HST_EIMAGE, &bytes, &n, err);
    rc = rc ? rc : hst_sha256_bytes(bytes, n, out->byte, err);
    free(bytes);
    return rc;
}

/* By the data's own split; of very many photos by that of some, all over them. */
static int sides_of_data(const hst_ctx *ctx, const hst_data *d, uint8_t *side, hst_err *err)
{
    const size_t step = d->split == HST_SPLIT_STABLE ? d->n_photos / MOST_HASHED + 1 : 1;
    hst_digest *content = hst_alloc(d->n_photos + 1, sizeof *content, err);
    int rc = content ? 0 : HST_EMEM;
    for (size_t i = 0; rc == 0 && d->split == HST_SPLIT_STABLE && i < d->n_photos; i += step) {
        hst_err unread = {0};
        rc = content_of(ctx, d->photos[i].path, &content[i], &unread);
        rc = rc == HST_EIMAGE || rc == HST_EIO ? 0 : rc ? hst_fail(err, rc, "%s", unread.msg) : 0;
    }
    rc = rc ? rc : hst_split_assign(d, content, NULL, side, err);
    free(content);
    return rc;
}

/* ---- which photos ---- */

/* Up to `most` photos of a side, evenly all over them, into *list. */
static int choose(const hst_data *d, const uint8_t *side, int wanted, size_t most, size_t **list,
                  size_t *n, hst_err *err)
{
    size_t all = 0, seen = 0;
    for (size_t i = 0; i < d->n_photos; i++)
        all += side[i] == wanted;
    most = all < most ? all : most;
    *n = 0;
    *list = hst_alloc(most + 1, sizeof **list, err);
    for (size_t i = 0; *list && i < d->n_photos && *n < most; i++) {
        if (side[i] != wanted)
            continue;
        if (seen * most >= *n * all)
            (*list)[(*n)++] = i;
        seen++;
    }
    return *list ? 0 : HST_EMEM;
}

/* Pictures that fit into MOST_BYTES. */
static size_t room_for(const hst_model *m, size_t n)
{
    const size_t fit = MOST_BYTES / (hst_size_pixels(prep_of(m)->size) * 3) + 1;
    return n < fit ? n : fit;
}

static int choose_all(const hst_ctx *ctx, const hst_model *m, const hst_data *d,
                      const uint8_t *side, hst_export_photos *out, hst_err *err)
{
    int rc = choose(d, side, HST_TRAIN, room_for(m, CALIBRATE), &out->calibrates,
                    &out->n_calibrates, err);
    rc = rc ? rc
            : choose(d, side, HST_VALIDATION, room_for(m, MEASURE), &out->measures,
                     &out->n_measures, err);
    if (rc == 0 && out->n_calibrates + out->n_measures == 0)
        rc = hst_fail(err, HST_EDATA,
                      "%s: none of its photos is in the run's split.csv: give the photos that the "
                      "model was trained with",
                      d->dir ? d->dir : "the data");
    if (rc == 0 && out->n_measures == 0)
        hst_log(ctx, HST_LOG_WARN, "no photo is on the validation side: no accuracy is measured");
    return rc;
}

int hst_export_photos_open(const hst_ctx *ctx, const hst_model *m, const hst_data *d,
                           const char *split, hst_export_photos *out, hst_err *err)
{
    *out = (hst_export_photos){.data = d};
    if (d->n_classes < 1 || d->n_photos < 1)
        return hst_fail(err, HST_EDATA, "the photos of the data have no labels");
    uint8_t *side = hst_alloc(d->n_photos, 1, err);
    out->label = side ? hst_alloc((size_t)d->n_classes, sizeof *out->label, err) : NULL;
    int rc = out->label ? hst_eval_match(m, d, out->label, err) : HST_EMEM;
    if (rc == 0)
        rc = split ? sides_of_run(d, split, side, err) : sides_of_data(ctx, d, side, err);
    rc = rc ? rc : choose_all(ctx, m, d, side, out, err);
    free(side);
    return rc;
}

void hst_export_photos_free(hst_export_photos *p)
{
    free(p->label);
    free(p->calibrates);
    free(p->measures);
    *p = (hst_export_photos){0};
}

/* ---- pictures ---- */

int hst_probes_new(const hst_model *m, int n, hst_probes *p, hst_err *err)
{
    const hst_size size = prep_of(m)->size;
    const size_t bytes = hst_size_pixels(size) * 3, classes = (size_t)m->n_classes;
    const size_t many = n > 0 ? (size_t)n : 1;
    *p = (hst_probes){n, size.height, size.width, m->n_classes, NULL, NULL, NULL};
    p->picture = hst_alloc(many, bytes, err);
    p->answer = p->picture ? hst_alloc(many, classes * sizeof *p->answer, err) : NULL;
    p->found = p->answer ? hst_alloc(many, classes * sizeof *p->found, err) : NULL;
    return p->found ? 0 : HST_EMEM;
}

void hst_probes_free(hst_probes *p)
{
    free(p->picture);
    free(p->answer);
    free(p->found);
    *p = (hst_probes){0};
}

typedef struct preparing {
    const hst_ctx *ctx;
    const hst_prep *prep;
    const hst_data *data;
    const size_t *photo;
    uint8_t *picture, *is_there;
} preparing;

static int prepare(const preparing *j, size_t i, float *x, hst_err *err)
{
    const hst_decode how = {j->prep->resampler, hst_prep_least_px(j->prep), j->ctx->decoders};
    const char *path = j->data->photos[j->photo[i]].path;
    hst_image image = {0};
    uint8_t *bytes = NULL;
    size_t n;
    int rc = hst_photo_read(j->ctx, path, HST_EIMAGE, &bytes, &n, err);
    rc = rc ? rc : hst_image_decode(&how, bytes, n, &image, err);
    rc = rc ? rc : hst_prepare(j->prep, &image, x, err);
    hst_image_clear(&image);
    free(bytes);
    return rc;
}

static int prepare_one(void *arg, size_t i, int thread, hst_err *err)
{
    const preparing *j = arg;
    const hst_pixel_norm *norm = &j->prep->norm;
    const size_t n = hst_size_pixels(j->prep->size) * 3;
    float *x = hst_alloc(n, sizeof *x, err);
    hst_err why = {0};
    int rc = x ? prepare(j, i, x, &why) : HST_EMEM;
    (void)thread;
    for (size_t k = 0; rc == 0 && k < n; k++) {
        const float v = roundf(x[k] * norm->std[k % 3] + norm->mean[k % 3]);
        j->picture[i * n + k] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
    j->is_there[i] = rc == 0;
    free(x);
    return rc == HST_EMEM || rc == HST_ESTOPPED ? hst_fail(err, rc, "%s", why.msg) : 0;
}

int hst_export_pictures(const hst_ctx *ctx, const hst_model *m, const hst_export_photos *from,
                        size_t *photo, size_t *n, hst_probes *out, hst_err *err)
{
    const size_t bytes = hst_size_pixels(prep_of(m)->size) * 3;
    uint8_t *is_there = hst_alloc(*n + 1, 1, err);
    int rc = hst_probes_new(m, (int)*n, out, err);
    rc = is_there ? rc : HST_EMEM;
    preparing j = {ctx, prep_of(m), from->data, photo, out->picture, is_there};
    rc = rc ? rc : hst_executor_try(ctx->executor, *n, prepare_one, &j, err);
    size_t kept = 0;
    for (size_t i = 0; rc == 0 && i < *n; i++) {
        if (!is_there[i])
            continue;
        memmove(out->picture + kept * bytes, out->picture + i * bytes, bytes);
        photo[kept++] = photo[i];
    }
    if (rc == 0)
        *n = kept;
    out->n = (int)*n;
    free(is_there);
    return rc;
}
