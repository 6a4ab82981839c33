/* run.c - the record of a run, and what recipes share. */
#include "base/buf.h"
#include "base/mem.h"
#include "training/recipe.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int hst_run_add_epoch(hst_run *r, const hst_epoch *e, hst_err *err)
{
    hst_epoch *more = hst_resize(r->history, r->n_history + 1, sizeof *more, err);
    if (!more)
        return HST_EMEM;
    r->history = more;
    r->history[r->n_history++] = *e;
    return 0;
}

int hst_run_end_epoch(hst_fit *f, const hst_epoch *e, hst_err *err)
{
    const hst_settings *o = &f->run->settings;
    hst_epoch kept = *e;
    char validation[80] = "";
    if (f->validation.n == 0)
        kept.val_loss = kept.val_accuracy = -1;
    else
        snprintf(validation, sizeof validation, "  val_loss %.4f  val_accuracy %.4f", e->val_loss,
                 e->val_accuracy);
    if (!isfinite(kept.train_loss) || !isfinite(kept.val_loss))
        return hst_fail(err, HST_EARG,
                        "training left the range of numbers in epoch %d: use a smaller learning "
                        "rate than %g",
                        e->epoch, o->learning_rate);
    hst_log(f->ctx, HST_LOG_INFO, "epoch %d/%d  loss %.4f  accuracy %.4f%s", e->epoch, o->epochs,
            e->train_loss, e->train_accuracy, validation);
    return hst_run_add_epoch(f->run, &kept, err);
}

int hst_head_score(const hst_model *m, const hst_examples *e, double *loss, double *accuracy,
                   hst_err *err)
{
    float *prob = hst_alloc((size_t)m->n_classes, sizeof *prob, err);
    double sum = 0;
    size_t right = 0;
    if (!prob)
        return HST_EMEM;
    for (size_t i = 0; i < e->n; i++) {
        hst_model_head(m, e->x[i], prob);
        hst_spill_passed(e->home, (size_t)m->dim * sizeof *prob);
        double p = prob[e->label[i]];
        sum -= log(p > DBL_EPSILON ? p : DBL_EPSILON);
        right += hst_argmax(prob, m->n_classes) == e->label[i];
    }
    free(prob);
    *loss = e->n ? sum / (double)e->n : -1;
    *accuracy = e->n ? (double)right / (double)e->n : -1;
    return 0;
}

void hst_weigh_classes(const hst_class_weights *w, const hst_examples *e, int n_classes,
                       double *weight)
{
    double sum = 0;
    for (int c = 0; c < n_classes; c++)
        weight[c] = 0;
    for (size_t i = 0; i < e->n; i++)
        weight[e->label[i]]++;
    for (int c = 0; c < n_classes; c++) {
        const double n = weight[c];
        weight[c] = hst_class_weight_of(w, c, n, (double)e->n, n_classes);
        sum += n > 0 ? n * weight[c] : 0;
    }
    for (int c = 0; c < n_classes && !hst_class_weights_are_equal(w); c++)
        weight[c] *= (double)e->n / sum;
}

int hst_record_number(hst_model *m, const char *key, double value, hst_err *err)
{
    hst_buf b = HST_BUF(64);
    hst_buf_double(&b, value);
    int rc = hst_buf_check(&b, err);
    if (rc == 0)
        rc = hst_model_set_record(m, key, b.p, err);
    hst_buf_free(&b);
    return rc;
}

int hst_record_settings(hst_model *m, const hst_settings *s, hst_err *err)
{
    hst_setting_value v;
    int rc = 0;
    for (int i = 0; rc == 0 && hst_settings_next(s, &i, &v);)
        rc = v.word ? hst_model_set_record(m, v.setting->field, v.word, err)
                    : hst_record_number(m, v.setting->field, v.number < 0 ? 0 : v.number, err);
    if (rc == 0 && s->finds_rate)
        rc = hst_model_set_record(m, "learning_rate_from", "range test", err);
    return rc;
}

void hst_run_free(hst_run *r)
{
    if (!r)
        return;
    hst_features_free(r->features);
    hst_eval_free(r->holdout);
    hst_eval_free(r->eval);
    hst_out_of_fold_clear(&r->out_of_fold);
    free(r->out_of_fold_photo);
    free(r->side);
    hst_near_clear(&r->near);
    free(r->group);
    free(r->history);
    free(r->curve);
    free(r->step);
    free(r->thaw);
    free(r->prior_text);
    free(r->class_weight);
    hst_class_weights_clear(&r->class_weights);
    free(r->prior);
    free(r);
}

size_t hst_run_trained(const hst_run *r)
{
    return r->n_train;
}

size_t hst_run_skipped(const hst_run *r)
{
    return r->features->n - r->features->n_used;
}

size_t hst_run_stored(const hst_run *r)
{
    return r->features->n_stored;
}

const hst_eval *hst_run_eval(const hst_run *r)
{
    return r->eval ? r->eval : r->holdout;
}

const hst_eval *hst_run_holdout(const hst_run *r)
{
    return r->holdout;
}

const hst_learning_curve *hst_run_curve(const hst_run *r)
{
    return r->curve;
}

const hst_effort_step *hst_run_step(const hst_run *r, size_t i)
{
    return i < r->n_steps ? &r->step[i] : NULL;
}

int hst_run_side(const hst_run *r, size_t i)
{
    return i < r->features->n ? r->side[i] : HST_UNSPLIT;
}
