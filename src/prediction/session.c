/* session.c - one photo -> probabilities. */
#include "base/mem.h"
#include "base/sized.h"
#include "dataset/photo.h"
#include "prediction/prediction.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct hst_session {
    const hst_model *model;
    hst_ctx ctx;            /* to read photos with; nothing to close */
    hst_executor *executor; /* the context's */
    int alone;              /* this photo is the only one */
    hst_looking *looking;
    float *features;           /* [dim] */
    hst_unknown_work *unknown; /* NULL: the model cannot tell */
    double unknown_score;      /* of the last photo */
    const hst_lookup *lookup;  /* NULL: every photo goes through the network */
    float *views;              /* [view_floats], with lookup */
    int stored;                /* the last photo's features came from the store */
};

hst_session *hst_session_open(hst_ctx *ctx, const hst_model *m, hst_err *err)
{
    hst_session *s = hst_alloc(1, sizeof *s, err);
    if (!s)
        return NULL;
    s->model = m;
    s->ctx = hst_ctx_quiet(ctx);
    s->executor = ctx->executor;
    s->looking = hst_looking_new(ctx, m->extractor, err);
    s->features = s->looking ? hst_alloc((size_t)m->dim, sizeof *s->features, err) : NULL;
    s->unknown_score = NAN;
    if (s->features && m->unknown)
        s->unknown = hst_unknown_work_new(m->dim, m->n_classes, err);
    if (s->features && (s->unknown || !m->unknown))
        return s;
    hst_session_free(s);
    return NULL;
}

int hst_session_look_up(hst_session *s, const hst_lookup *l, hst_err *err)
{
    s->views = hst_alloc((size_t)l->e->view_floats, sizeof *s->views, err);
    s->lookup = s->views ? l : NULL;
    return s->views ? 0 : HST_EMEM;
}

int hst_session_stored(const hst_session *s)
{
    return s->stored;
}

void hst_session_free(hst_session *s)
{
    if (!s)
        return;
    free(s->views);
    hst_looking_free(s->looking);
    free(s->features);
    hst_unknown_work_free(s->unknown);
    free(s);
}

/* A photo begins, and ends. While it is the only one of all sessions, all threads compute it. */
static void enter(hst_session *s)
{
    s->alone = hst_executor_enter(s->executor);
    s->unknown_score = NAN;
    s->stored = 0;
}

static void leave(hst_session *s)
{
    hst_executor_leave(s->executor);
}

/* s->features are the photo's. */
static void judge(hst_session *s, float *prob)
{
    hst_model_head(s->model, s->features, prob);
    s->unknown_score = hst_model_unknown(s->model, s->features, prob, s->unknown);
}

/* s->looking has the photo. */
static int infer(hst_session *s, float *prob, hst_err *err)
{
    int rc = hst_looking_run(s->looking, s->alone ? s->executor : NULL, s->features, err);
    if (rc == 0)
        judge(s, prob);
    return rc;
}

/* The store may know it. */
static int look_up(hst_session *s, const char *path, float *prob, hst_err *err)
{
    hst_digest content = {0};
    hst_lookup_photo p = {.path = path,
                          .content = &content,
                          .views = s->views,
                          .together = s->alone ? s->executor : NULL};
    int rc = hst_lookup_one(s->lookup, s->looking, &p, err);
    if (rc)
        return rc;
    s->stored = p.n_found == s->lookup->n_views;
    hst_extractor_combine(s->lookup->e, s->views, s->features);
    judge(s, prob);
    return 0;
}

double hst_session_unknown(const hst_session *s)
{
    return s->unknown_score;
}

static int predict_bytes(hst_session *s, const void *bytes, size_t n, float *prob, hst_err *err)
{
    hst_looking_at_bytes(s->looking, bytes, n);
    return infer(s, prob, err);
}

static int check_n(const hst_session *s, size_t n, hst_err *err)
{
    if (n == (size_t)s->model->n_classes)
        return 0;
    return hst_fail(err, HST_EARG, "room for %zu probabilities, but the model has %d classes", n,
                    s->model->n_classes);
}

int hst_predict_bytes(hst_session *s, const void *bytes, size_t n_bytes, float *prob, size_t n,
                      hst_err *err)
{
    int rc = check_n(s, n, err);
    if (rc)
        return rc;
    enter(s);
    rc = predict_bytes(s, bytes, n_bytes, prob, err);
    leave(s);
    return rc;
}

int hst_session_predict(hst_session *s, const char *path, float *prob, hst_err *err)
{
    uint8_t *bytes = NULL;
    size_t n;
    enter(s);
    int rc = 0;
    if (s->lookup)
        rc = look_up(s, path, prob, err);
    else
        rc = hst_photo_read(&s->ctx, path, HST_EIMAGE, &bytes, &n, err);
    if (rc == 0 && !s->lookup)
        rc = predict_bytes(s, bytes, n, prob, err);
    leave(s);
    free(bytes);
    return rc;
}

int hst_predict_file(hst_session *s, const char *path, float *prob, size_t n, hst_err *err)
{
    int rc = check_n(s, n, err);
    if (rc)
        return rc;
    rc = hst_session_predict(s, path, prob, err);
    if (rc)
        (void)hst_err_at(err, path);
    return rc;
}

static const hst_sized sized = HST_SIZED(hst_pixels, row_bytes);

void hst_pixels_init(hst_pixels *p, size_t size)
{
    hst_sized_init(&sized, &(hst_pixels){0}, p, size);
}

/* The caller's pixels, checked, with the bytes of a row set. */
static int read_pixels(const hst_pixels *given, hst_pixels *p, hst_err *err)
{
    *p = (hst_pixels){0};
    if (hst_sized_read(&sized, p, given, err))
        return HST_EARG;
    if (!p->rgb || p->width_px < 1 || p->height_px < 1)
        return hst_fail(err, HST_EARG, "a picture of %d x %d pixels", p->width_px, p->height_px);
    if ((int64_t)p->width_px * p->height_px > HST_IMAGE_MAX_PIXELS)
        return hst_fail(err, HST_EARG, "a picture of %d x %d pixels, expected at most %d in all",
                        p->width_px, p->height_px, HST_IMAGE_MAX_PIXELS);
    const size_t dense = (size_t)p->width_px * 3;
    p->row_bytes = p->row_bytes ? p->row_bytes : dense;
    if (p->row_bytes < dense)
        return hst_fail(err, HST_EARG, "rows of %zu bytes are too short for %d pixels of 3",
                        p->row_bytes, p->width_px);
    return 0;
}

int hst_predict_rgb(hst_session *s, const hst_pixels *pixels, float *prob, size_t n, hst_err *err)
{
    hst_pixels p;
    int rc = check_n(s, n, err);
    if (rc == 0)
        rc = read_pixels(pixels, &p, err);
    if (rc)
        return rc;
    hst_image img = {.w = p.width_px, .h = p.height_px};
    size_t row = (size_t)img.w * 3;
    img.rgb = hst_resize(NULL, (size_t)img.h, row, err); /* dense rows */
    if (!img.rgb)
        return HST_EMEM;
    for (size_t y = 0; y < (size_t)img.h; y++)
        memcpy(img.rgb + y * row, p.rgb + y * p.row_bytes, row);
    enter(s);
    hst_looking_at_image(s->looking, &img);
    rc = infer(s, prob, err);
    leave(s);
    free(img.rgb);
    return rc;
}
