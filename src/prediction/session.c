/* session.c - one photo -> probabilities. */
#include "base/file.h"
#include "base/mem.h"
#include "prediction/prediction.h"

#include <stdlib.h>
#include <string.h>

struct hst_session {
    const hst_model *model;
    hst_work *work;
    float *input;    /* [px][px][3] */
    float *features; /* [dim] */
};

hst_session *hst_session_open(hst_ctx *ctx, const hst_model *m, hst_err *err)
{
    (void)ctx;
    size_t px = (size_t)m->prep.px;
    hst_session *s = hst_alloc(1, sizeof *s, err);
    if (!s)
        return NULL;
    s->model = m;
    s->work = hst_work_new(m->backbone->plan, err);
    s->input = s->work ? hst_alloc(px * px, 3 * sizeof *s->input, err) : NULL;
    s->features = s->input ? hst_alloc((size_t)m->dim, sizeof *s->features, err) : NULL;
    if (s->features)
        return s;
    hst_session_free(s);
    return NULL;
}

void hst_session_free(hst_session *s)
{
    if (!s)
        return;
    hst_work_free(s->work);
    free(s->input);
    free(s->features);
    free(s);
}

/* s->input is prepared. */
static void infer(hst_session *s, float *prob)
{
    hst_plan_run(s->model->backbone->plan, s->work, s->input, 1, s->features);
    hst_model_head(s->model, s->features, prob);
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
    if (rc == 0)
        rc = hst_prepare_bytes(&s->model->prep, bytes, n_bytes, s->input, err);
    if (rc == 0)
        infer(s, prob);
    return rc;
}

int hst_session_predict(hst_session *s, const char *path, float *prob, hst_err *err)
{
    uint8_t *bytes = NULL;
    size_t n;
    int rc = hst_file_read(path, HST_IMAGE_MAX_BYTES, HST_EIMAGE, &bytes, &n, err);
    if (rc == 0)
        rc = hst_predict_bytes(s, bytes, n, prob, (size_t)s->model->n_classes, err);
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

static int check_rgb(const uint8_t *rgb, int w, int h, size_t row_bytes, hst_err *err)
{
    if (!rgb || w < 1 || h < 1)
        return hst_fail(err, HST_EARG, "a picture of %d x %d pixels", w, h);
    if ((int64_t)w * h > HST_IMAGE_MAX_PIXELS)
        return hst_fail(err, HST_EARG, "a picture of %d x %d pixels, expected at most %d in all", w,
                        h, HST_IMAGE_MAX_PIXELS);
    if (row_bytes < (size_t)w * 3)
        return hst_fail(err, HST_EARG, "rows of %zu bytes are too short for %d pixels of 3",
                        row_bytes, w);
    return 0;
}

int hst_predict_rgb(hst_session *s, const uint8_t *rgb, int w, int h, size_t row_bytes, float *prob,
                    size_t n, hst_err *err)
{
    hst_image img = {.w = w, .h = h};
    int rc = check_n(s, n, err);
    if (rc == 0)
        rc = check_rgb(rgb, w, h, row_bytes, err);
    if (rc)
        return rc;
    size_t row = (size_t)w * 3;
    img.rgb = hst_resize(NULL, (size_t)h, row, err); /* dense rows */
    if (!img.rgb)
        return HST_EMEM;
    for (size_t y = 0; y < (size_t)h; y++)
        memcpy(img.rgb + y * row, rgb + y * row_bytes, row);
    rc = hst_prepare(&s->model->prep, &img, s->input, err);
    free(img.rgb);
    if (rc == 0)
        infer(s, prob);
    return rc;
}
