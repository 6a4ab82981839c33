#include "tuning_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int on_progress(void *arg, const hst_progress *p)
{
    scene *s = arg;
    if (strcmp(p->what, "training") != 0)
        return 0;
    assert_true(p->loss > 0 && p->accuracy >= 0 && p->accuracy <= 1);
    s->last = p->done;
    return s->stop && p->done >= s->stop;
}

static void open_photos(scene *s)
{
    hst_err e = {0};
    hst_data_opts o = hst_data_opts_default();
    o.split = "keras";
    o.val_part = 0.24;
    s->d = hst_data_open(s->ctx, s->dir, &o, &e);
    check_ok(s->d ? 0 : e.code, &e);
}

scene set_up(int threads)
{
    scene s = {
        .ctx = made_up_ctx(threads), .dir = temporary_folder(), .run_dir = temporary_folder()};
    s.b = made_up_backbone(s.ctx, 1);
    made_up_photos(s.dir, CLASSES, PER_CLASS, 20, 25);
    open_photos(&s);
    return s;
}

void tear_down(scene *s)
{
    hst_data_free(s->d);
    hst_backbone_free(s->b);
    hst_close(s->ctx);
    remove_tree(s->dir);
    remove_tree(s->run_dir);
    free(s->dir);
    free(s->run_dir);
}

hst_train_opts fine_tune(const scene *s)
{
    hst_train_opts o = hst_train_opts_default();
    o.recipe = "fine-tune";
    o.epochs = EPOCHS;
    o.batch = BATCH;
    o.learning_rate = 0.002;
    o.run_dir = s->run_dir;
    return o;
}

int train(scene *s, const hst_train_opts *o, uint64_t stop, result *out, hst_err *e)
{
    hst_run *run = NULL;
    s->stop = stop;
    s->ctx->progress = on_progress;
    s->ctx->progress_arg = s;
    hst_model *m = hst_train(s->ctx, s->b, s->d, o, &run, e);
    if (!m)
        return e->code;
    memset(out, 0, sizeof *out); /* rows are compared with what lies between their fields */
    snprintf(out->sha256, sizeof out->sha256, "%s", hst_model_record(m, "content_sha256"));
    out->n = run->n_history;
    assert_in_range(out->n, 1, 16);
    for (size_t i = 0; i < out->n; i++) {
        out->row[i].epoch = run->history[i].epoch;
        out->row[i].train_loss = run->history[i].train_loss;
        out->row[i].train_accuracy = run->history[i].train_accuracy;
        out->row[i].val_loss = run->history[i].val_loss;
        out->row[i].val_accuracy = run->history[i].val_accuracy;
        out->row[i].lr = run->history[i].lr;
    }
    hst_model_free(m);
    hst_run_free(run);
    return 0;
}

result trained(scene *s, const hst_train_opts *o)
{
    result r;
    hst_err e = {0};
    check_ok(train(s, o, 0, &r, &e), &e);
    return r;
}

void identity(const hst_backbone *b, char hex[65])
{
    hst_err e = {0};
    check_ok(hst_backbone_identity(b, hex, &e), &e);
}

void check_same_network(const hst_model *a, const hst_model *b)
{
    char of_a[65], of_b[65];
    identity(hst_model_backbone(a), of_a);
    identity(hst_model_backbone(b), of_b);
    assert_string_equal(of_a, of_b);
    assert_memory_equal(a->kernel, b->kernel, (size_t)a->dim * CLASSES * sizeof *a->kernel);
    assert_memory_equal(a->bias, b->bias, CLASSES * sizeof *a->bias);
}
