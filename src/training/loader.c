#include "training/loader.h"

#include "base/executor.h"
#include "base/mem.h"
#include "dataset/photo.h"
#include "nn/learn.h"

#include <stdlib.h>
#include <string.h>

struct hst_loader {
    const hst_fit *fit;
    const hst_examples *from;
    hst_sampler *sampler;
    enum hst_augment how;
    int mixes;
    size_t floats; /* of one prepared photo */
    hst_load load[2];
    hst_load *coming; /* being loaded, or NULL */
    uint32_t pass;    /* that the coming ones belong to */
    hst_async *loading;
};

static int read_photo(const hst_fit *f, enum hst_augment how, const hst_augment_key *key,
                      float *out, hst_err *err)
{
    const hst_prep *prep = &f->run->features->prep;
    uint8_t *bytes = NULL;
    size_t n;
    hst_image img = {0};
    int rc =
        hst_photo_read(f->ctx, f->run->data->photos[key->photo].path, HST_EDATA, &bytes, &n, err);
    if (rc)
        return rc;
    rc = hst_image_decode(&(hst_decode){prep->resampler, 0, f->ctx->decoders}, bytes, n, &img, err);
    free(bytes);
    if (rc == 0)
        rc = hst_augment_image(how, prep, &img, key, out, err);
    hst_image_clear(&img);
    return rc;
}

int hst_load_photo(const hst_fit *f, enum hst_augment how, uint32_t pass, size_t photo, float *out,
                   hst_err *err)
{
    hst_augment_key key = {.seed = f->run->settings.seed, .epoch = pass, .photo = (uint32_t)photo};
    hst_err why = {0};
    int rc = read_photo(f, how, &key, out, &why);
    if (rc == 0 || rc == HST_EMEM)
        return rc ? hst_fail(err, rc, "%s", why.msg) : 0;
    return hst_fail(err, HST_EDATA, "%s was readable and is not any more: %s",
                    f->run->data->photos[photo].path, why.msg);
}

/* "a/1.jpg, a/2.jpg" with as many names as fit into a message; returns how many. */
static size_t name_photos(const hst_fit *f, const hst_load *b, hst_buf *names)
{
    enum { ROOM = 500 };
    for (size_t i = 0; i < b->n; i++) {
        const char *name = f->run->data->photos[b->photo[i]].relative;
        if (names->n + strlen(name) + 2 > ROOM)
            return i;
        hst_buf_printf(names, "%s%s", i ? ", " : "", name);
    }
    return b->n;
}

int hst_load_diverged(const hst_fit *f, const hst_load *b, int epoch, int has_checkpoint,
                      hst_err *err)
{
    hst_buf names = HST_BUF(1024);
    size_t named = name_photos(f, b, &names);
    for (size_t i = 0; named < b->n && i < b->n; i++)
        hst_log(f->ctx, HST_LOG_WARN, "in the step that failed: %s",
                f->run->data->photos[b->photo[i]].relative);
    int rc =
        hst_fail(err, HST_EARG,
                 "in step %llu (epoch %d) loss, gradient or weights left the range of numbers: "
                 "use a smaller learning rate than %g%s; its %zu photos: %s%s",
                 (unsigned long long)b->step + 1, epoch + 1, f->run->settings.learning_rate,
                 has_checkpoint ? "; the last good checkpoint is kept" : "", b->n,
                 names.p ? names.p : "", named < b->n ? ", ..." : "");
    hst_buf_free(&names);
    return rc;
}

static int load_one(void *arg, size_t i, int thread, hst_err *err)
{
    hst_loader *l = arg;
    hst_load *b = l->coming;
    (void)thread;
    const hst_mix_rows *r = &b->rows;
    if (l->mixes ? !hst_mix_wants(r, i) : i < r->first || i >= r->first + r->own)
        return 0;
    return hst_load_photo(l->fit, l->how, l->pass, b->photo[i], b->x + i * l->floats, err);
}

static void begin(hst_loader *l, uint64_t step)
{
    hst_load *b = &l->load[step % 2];
    hst_sample s = hst_sampler_at(l->sampler, step);
    b->step = step;
    b->n = s.n;
    const hst_learn_share own = hst_learn_own(l->fit->ctx->ranks, (int)s.n);
    b->rows = (hst_mix_rows){s.n, (size_t)own.first, (size_t)own.n};
    for (size_t i = 0; i < s.n; i++) {
        b->photo[i] = l->from->photo[s.order[i]];
        b->label[i] = l->from->label[s.order[i]];
    }
    l->pass = s.pass;
    l->coming = b;
    hst_async_begin(l->loading, b->n, load_one, l);
}

/* The coming photos are all there, or it is known why not. */
static int finish(hst_loader *l, hst_err *err)
{
    int rc = hst_async_end(l->loading, err);
    l->coming = NULL;
    return rc;
}

const hst_load *hst_loader_take(hst_loader *l, uint64_t step, uint64_t end, hst_err *err)
{
    hst_load *b = &l->load[step % 2];
    if (!l->coming || l->coming->step != step) {
        (void)!finish(l, NULL);
        begin(l, step);
    }
    if (finish(l, err))
        return NULL;
    if (step + 1 < end)
        begin(l, step + 1);
    return b;
}

static int load_meanwhile(void *arg)
{
    hst_loader *l = arg;
    return hst_async_help(l->loading);
}

/* A rank that waits for another one loads the photos of its next step. */
static void load_while_waiting(hst_loader *l)
{
    hst_ranks *r = l->fit->ctx->ranks;
    if (!r)
        return;
    r->meanwhile = load_meanwhile;
    r->meanwhile_arg = l;
}

hst_loader *hst_loader_new(const hst_fit *f, const hst_examples *from, hst_sampler *s,
                           enum hst_augment how, hst_err *err)
{
    hst_loader *l = hst_alloc(1, sizeof *l, err);
    if (!l)
        return NULL;
    l->fit = f;
    l->from = from;
    l->sampler = s;
    l->how = how;
    l->mixes = f->run->settings.mixup > 0 || f->run->settings.cutmix > 0;
    l->floats = hst_size_pixels(f->run->features->prep.size) * 3;
    l->loading = hst_async_new(f->ctx->executor, err);
    if (!l->loading) {
        free(l);
        return NULL;
    }
    for (int i = 0; i < 2; i++) {
        hst_load *b = &l->load[i];
        b->x = hst_alloc(s->batch, l->floats * sizeof *b->x, err);
        b->photo = b->x ? hst_alloc(s->batch, sizeof *b->photo, err) : NULL;
        b->label = b->photo ? hst_alloc(s->batch, sizeof *b->label, err) : NULL;
        if (!b->label) {
            hst_loader_free(l);
            return NULL;
        }
    }
    load_while_waiting(l);
    return l;
}

void hst_loader_free(hst_loader *l)
{
    if (!l)
        return;
    if (l->fit->ctx->ranks)
        l->fit->ctx->ranks->meanwhile = NULL;
    hst_async_free(l->loading);
    for (int i = 0; i < 2; i++) {
        free(l->load[i].x);
        free(l->load[i].photo);
        free(l->load[i].label);
    }
    free(l);
}
