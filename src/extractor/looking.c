/* looking.c - one photo through an extractor, by one thread or by all of them together. */
#include "base/mem.h"
#include "extractor/extractor.h"

#include <stdlib.h>
#include <string.h>

enum { WORKS = HST_MAX_BESIDE * HST_MAX_VIEWS, MOST_WAITING = 8 };

struct hst_looking {
    const hst_extractor *e;
    struct hst_decoders *decoders; /* the context's */
    hst_work *alone[WORKS];    /* of each view, unless it shares a plan with one before; made by */
    hst_work *together[WORKS]; /* the first photo that needs it */
    size_t input_floats;       /* [height][width][3] of the largest view */
    float *input;              /* [room][input_floats] */
    float *made;               /* [room], what the largest plan makes of each */
    float *views;              /* [view_floats] */
    /* Prepared views, all of the plan of the view `last`, that wait for more of them. */
    int room, waiting, last;
    float *out[MOST_WAITING]; /* where what is made of each goes */
    const void *bytes;        /* of the photo; NULL: its pixels are the caller's */
    size_t n_bytes;
    hst_image own;          /* decoded from bytes; no pixels: not yet */
    const hst_image *image; /* own, or the caller's */
    const hst_prep *how;    /* own was decoded for this */
    int w, h;               /* of image, also when it has gone */
    enum hst_augment augment;
    hst_augment_key key; /* of augment */
};

hst_looking *hst_looking_new(const hst_ctx *ctx, const hst_extractor *e, hst_err *err)
{
    size_t made = 1;
    hst_looking *l = hst_alloc(1, sizeof *l, err);
    const hst_view *v;
    if (!l)
        return NULL;
    l->e = e;
    l->decoders = ctx->decoders;
    l->room = hst_extractor_images(e);
    for (int i = 0; (v = hst_extractor_view(e, i, NULL, NULL)); i++) {
        const size_t in = 3 * hst_size_pixels(v->prep.size), out = hst_plan_output_floats(v->plan);
        l->input_floats = in > l->input_floats ? in : l->input_floats;
        made = out > made ? out : made;
    }
    l->input = hst_alloc((size_t)l->room * l->input_floats, sizeof *l->input, err);
    l->made = l->input ? hst_alloc((size_t)l->room * made, sizeof *l->made, err) : NULL;
    l->views = l->made ? hst_alloc((size_t)e->view_floats, sizeof *l->views, err) : NULL;
    if (l->views)
        return l;
    hst_looking_free(l);
    return NULL;
}

void hst_looking_free(hst_looking *l)
{
    if (!l)
        return;
    for (int i = 0; i < WORKS; i++) {
        hst_work_free(l->alone[i]);
        hst_work_free(l->together[i]);
    }
    hst_image_clear(&l->own);
    free(l->input);
    free(l->made);
    free(l->views);
    free(l);
}

void hst_looking_at_bytes(hst_looking *l, const void *bytes, size_t n)
{
    hst_image_clear(&l->own);
    l->bytes = bytes;
    l->n_bytes = n;
    l->image = NULL;
    l->augment = HST_AUGMENT_NONE;
}

void hst_looking_at_image(hst_looking *l, const hst_image *img)
{
    hst_image_clear(&l->own);
    l->bytes = NULL;
    l->image = img;
    l->augment = HST_AUGMENT_NONE;
}

void hst_looking_change(hst_looking *l, enum hst_augment how, const hst_augment_key *key)
{
    l->augment = how;
    l->key = *key;
}

/* Whether a photo decoded for a has what b needs. */
static int decoded_alike(const hst_prep *a, const hst_prep *b)
{
    return a->resampler == b->resampler && hst_prep_least_px(a) == hst_prep_least_px(b);
}

static int decode(hst_looking *l, const hst_prep *p, hst_err *err)
{
    if (l->image && (!l->bytes || decoded_alike(l->how, p)))
        return 0;
    hst_image_clear(&l->own);
    l->image = NULL;
    const int least =
        l->augment ? 0 : hst_prep_least_px(p); /* a part of it is to fill the view, too */
    int rc = hst_image_decode(&(hst_decode){p->resampler, least, l->decoders}, l->bytes, l->n_bytes,
                              &l->own, err);
    if (rc)
        return rc;
    l->image = &l->own;
    l->how = p;
    return 0;
}

int hst_looking_picture(hst_looking *l, hst_picture *out, hst_err *err)
{
    int rc = decode(l, &hst_extractor_view(l->e, 0, NULL, NULL)->prep, err);
    return rc ? rc : hst_picture_of(l->image, l->bytes, l->bytes ? l->n_bytes : 0, out, err);
}

/* The working memory of the i-th view's plan, made where it is not there yet. */
static hst_work *work_of(hst_looking *l, int i, hst_executor *together, hst_err *err)
{
    enum { MOST = 16 }; /* for more threads the steps of one image are too short to be shared out */
    hst_work **work = together ? l->together : l->alone;
    const hst_plan *plan = hst_extractor_view(l->e, i, NULL, NULL)->plan;
    const int threads = together ? hst_executor_threads(together) : 1;
    int first = 0;
    while (hst_extractor_view(l->e, first, NULL, NULL)->plan != plan)
        first++;
    if (!work[first] && together)
        work[first] = hst_work_new_together(plan, threads < MOST ? threads : MOST, err);
    else if (!work[first])
        work[first] = hst_work_new(plan, err);
    return work[first];
}

/* The photo as the i-th view shows it, into `input`. */
static int prepare(hst_looking *l, int i, float *input, hst_err *err)
{
    const hst_view *v = hst_extractor_view(l->e, i, NULL, NULL);
    int rc = decode(l, &v->prep, err);
    if (rc == 0) {
        l->w = l->image->w;
        l->h = l->image->h;
    }
    rc = rc ? rc : hst_augment_image(l->augment, &v->prep, l->image, &l->key, input, err);
    if (l->bytes && !l->augment && !hst_extractor_view(l->e, i + 1, NULL, NULL)) {
        hst_image_clear(&l->own); /* not kept while the network runs */
        l->image = NULL;
    }
    return rc;
}

int hst_extractor_images(const hst_extractor *e)
{
    int most = 1;
    const hst_view *v;
    for (int i = 0; (v = hst_extractor_view(e, i, NULL, NULL)); i++)
        most = hst_plan_images(v->plan) > most ? hst_plan_images(v->plan) : most;
    return most < MOST_WAITING ? most : MOST_WAITING;
}

int hst_looking_flush(hst_looking *l, hst_err *err)
{
    const int n = l->waiting;
    l->waiting = 0;
    if (n == 0)
        return 0;
    hst_work *work = work_of(l, l->last, NULL, err);
    if (!work)
        return HST_EMEM;
    const hst_plan *plan = hst_extractor_view(l->e, l->last, NULL, NULL)->plan;
    const size_t floats = hst_plan_output_floats(plan);
    hst_plan_run(plan, work, l->input, n, n == 1 ? l->out[0] : l->made);
    for (int i = 0; n > 1 && i < n; i++)
        memcpy(l->out[i], l->made + (size_t)i * floats, floats * sizeof *l->made);
    return 0;
}

int hst_looking_later(hst_looking *l, int i, float *out, hst_err *err)
{
    const hst_plan *plan = hst_extractor_view(l->e, i, NULL, NULL)->plan;
    const size_t input = hst_shape_floats(hst_plan_input(plan));
    int rc = 0;
    if (l->waiting > 0 && hst_extractor_view(l->e, l->last, NULL, NULL)->plan != plan)
        rc = hst_looking_flush(l, err);
    rc = rc ? rc : prepare(l, i, l->input + (size_t)l->waiting * input, err);
    if (rc)
        return rc;
    l->last = i;
    l->out[l->waiting++] = out;
    return l->waiting < l->room && l->waiting < hst_plan_images(plan) ? 0
                                                                      : hst_looking_flush(l, err);
}

int hst_looking_view(hst_looking *l, int i, hst_executor *together, float *out, hst_err *err)
{
    const hst_view *v = hst_extractor_view(l->e, i, NULL, NULL);
    int rc = 0;
    if (!together) {
        rc = hst_looking_later(l, i, out, err);
        return rc ? rc : hst_looking_flush(l, err);
    }
    rc = hst_looking_flush(l, err);
    rc = rc ? rc : prepare(l, i, l->input, err);
    hst_work *work = rc ? NULL : work_of(l, i, together, err);
    if (!work)
        return rc ? rc : HST_EMEM;
    hst_plan_run_together(v->plan, work, together, l->input, out);
    return 0;
}

int hst_looking_watch(hst_looking *l, int i, hst_plan_watch *watch, void *arg, float *features,
                      hst_err *err)
{
    int rc = hst_looking_flush(l, err);
    rc = rc ? rc : prepare(l, i, l->input, err);
    hst_work *work = rc ? NULL : work_of(l, i, NULL, err);
    if (!work)
        return rc ? rc : HST_EMEM;
    hst_plan_run_watched(hst_extractor_view(l->e, i, NULL, NULL)->plan, work, l->input, features,
                         watch, arg);
    return 0;
}

void hst_looking_size(const hst_looking *l, int *w, int *h)
{
    *w = l->w;
    *h = l->h;
}

int hst_looking_run(hst_looking *l, hst_executor *together, float *out, hst_err *err)
{
    int at, rc = 0;
    for (int i = 0; rc == 0 && hst_extractor_view(l->e, i, &at, NULL); i++)
        rc = together ? hst_looking_view(l, i, together, l->views + at, err)
                      : hst_looking_later(l, i, l->views + at, err);
    const int flushed = hst_looking_flush(l, rc ? NULL : err);
    rc = rc ? rc : flushed;
    if (rc == 0)
        hst_extractor_combine(l->e, l->views, out);
    return rc;
}
