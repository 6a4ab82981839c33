#include "training/settings.h"

#include "images/augment.h"
#include "training/optimiser.h"
#include "training/schedule.h"
#include "training/thaw.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { MAX_EPOCHS = 1000000 };

/* ---- defaults and checks -----------------------------------------------------------------------
 */

/* Negative: the default. */
static double or_default(double given, double standard)
{
    return given < 0 ? standard : given;
}

static int check_optimizer(const hst_settings *s, hst_train_opts *o, hst_err *err)
{
    const hst_optimiser_rule *rule =
        hst_optimiser_rule_find(o->optimizer ? o->optimizer : s->optimizer);
    if (!rule)
        return hst_fail(err, HST_EARG,
                        "unknown optimizer '%s': sgd, nesterov, adam, adamw or rmsprop",
                        o->optimizer);
    if (rule->momentum < 0 && !(o->momentum < 0))
        return hst_fail(err, HST_EARG, "optimizer %s has no momentum to set", rule->name);
    o->optimizer = rule->name;
    o->learning_rate =
        or_default(o->learning_rate, rule->momentum < 0 ? s->adaptive_rate : s->rate);
    o->momentum = or_default(o->momentum, rule->momentum);
    return 0;
}

/* A number from 0, less than 1. */
static int check_part(const char *name, double value, hst_err *err)
{
    if (value >= 0 && value < 1)
        return 0;
    return hst_fail(err, HST_EARG, "the %s must be at least 0 and less than 1, not %g", name,
                    value);
}

static int check_numbers(const hst_train_opts *o, hst_err *err)
{
    int rc = check_part("momentum", o->momentum < 0 ? 0 : o->momentum, err);
    if (rc == 0)
        rc = check_part("label smoothing", o->label_smoothing, err);
    if (rc == 0)
        rc = check_part("dropout", o->dropout, err);
    if (rc)
        return rc;
    if (!(o->learning_rate > 0 && o->learning_rate <= 1e6))
        return hst_fail(err, HST_EARG, "the learning rate must be above 0 and at most 1e6, not %g",
                        o->learning_rate);
    if (!(o->l2 <= 1e6))
        return hst_fail(err, HST_EARG, "the L2 strength must be a number from 0, not %g", o->l2);
    if (o->epochs < 1 || o->epochs > MAX_EPOCHS || o->batch < 1)
        return hst_fail(err, HST_EARG, "epochs (1 .. %d) and batch must be at least 1, not %d, %d",
                        MAX_EPOCHS, o->epochs, o->batch);
    return 0;
}

int hst_settings_head(const hst_settings *s, hst_train_opts *o, hst_err *err)
{
    o->epochs = o->epochs ? o->epochs : s->epochs;
    o->batch = o->batch ? o->batch : s->batch;
    o->l2 = or_default(o->l2, s->l2);
    o->label_smoothing = or_default(o->label_smoothing, s->label_smoothing);
    o->dropout = or_default(o->dropout, s->dropout);
    int rc = check_optimizer(s, o, err);
    return rc ? rc : check_numbers(o, err);
}

/* Words become constants. */
static int check_words(const hst_settings *s, hst_train_opts *o, hst_err *err)
{
    enum hst_augment augment;
    enum hst_schedule schedule;
    const char *norm = o->batch_norm ? o->batch_norm : s->batch_norm;
    int rc = hst_augment_parse(o->augment ? o->augment : s->augment, &augment, err);
    if (rc == 0)
        rc = hst_schedule_parse(o->schedule ? o->schedule : s->schedule, &schedule, err);
    if (rc)
        return rc;
    if (strcmp(norm, "frozen") != 0 && strcmp(norm, "batch") != 0)
        return hst_fail(err, HST_EARG, "unknown batch norm '%s': frozen or batch", norm);
    o->batch_norm = strcmp(norm, "batch") == 0 ? "batch" : "frozen";
    o->augment = hst_augment_name(augment);
    o->schedule = hst_schedule_name(schedule);
    return 0;
}

int hst_settings_tuning(const hst_settings *s, const hst_backbone *b, hst_train_opts *o,
                        hst_err *err)
{
    enum { MAX_BATCH = 4096 };
    hst_thaw thaw;
    o->thaw = o->thaw ? o->thaw : s->thaw;
    o->layer_decay = or_default(o->layer_decay, s->layer_decay);
    o->clip = or_default(o->clip, s->clip);
    int rc = check_words(s, o, err);
    if (rc == 0)
        rc = hst_thaw_parse(o->thaw, b->graph, &thaw, err);
    if (rc)
        return rc;
    if (o->batch > MAX_BATCH)
        return hst_fail(err, HST_EARG, "a batch of %d photos is too large to fine-tune: at most %d",
                        o->batch, MAX_BATCH);
    if (!(o->layer_decay > 0 && o->layer_decay <= 1))
        return hst_fail(err, HST_EARG, "the layer decay must be above 0 and at most 1, not %g",
                        o->layer_decay);
    if (!(o->clip <= 1e6))
        return hst_fail(err, HST_EARG, "the length to clip to must be a number from 0, not %g",
                        o->clip);
    if (o->patience < 0 || o->checkpoint_steps < 0)
        return hst_fail(err, HST_EARG, "patience and steps between checkpoints must be 0 or more");
    if ((o->resume || o->checkpoint_steps) && !o->run_dir)
        return hst_fail(err, HST_EARG, "checkpoints need a run folder");
    return 0;
}

int hst_settings_no_tuning(const hst_train_opts *o, const char *who, hst_err *err)
{
    const struct {
        const char *name;
        int given;
    } foreign[] = {{"fine-tuning", o->fine_tune},
                   {"layers to thaw", o->thaw != NULL},
                   {"batch norm", o->batch_norm != NULL},
                   {"augmentation", o->augment != NULL},
                   {"schedule", o->schedule != NULL},
                   {"layer decay", !(o->layer_decay < 0)},
                   {"clipping", !(o->clip < 0)},
                   {"patience", o->patience != 0},
                   {"steps between checkpoints", o->checkpoint_steps != 0}};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (foreign[i].given)
            return hst_fail(err, HST_EARG, "%s has no %s to set; recipe fine-tune has", who,
                            foreign[i].name);
    return 0;
}

/* ---- record ------------------------------------------------------------------------------------
 */

typedef struct number {
    const char *key;
    double value;
} number;

typedef struct word {
    const char *key, *value;
} word;

enum { N_HEAD = 7, N_NUMBERS = 10, N_WORDS = 5 };

/* The first N_HEAD of the numbers and the first word belong to the head. */
static void list(const hst_train_opts *o, number n[N_NUMBERS], word w[N_WORDS])
{
    const number numbers[N_NUMBERS] = {{"epochs", o->epochs},
                                       {"batch", o->batch},
                                       {"learning_rate", o->learning_rate},
                                       {"momentum", o->momentum < 0 ? 0 : o->momentum},
                                       {"l2", o->l2},
                                       {"label_smoothing", o->label_smoothing},
                                       {"dropout", o->dropout},
                                       {"layer_decay", o->layer_decay},
                                       {"clip", o->clip},
                                       {"patience", o->patience}};
    const word words[N_WORDS] = {{"optimizer", o->optimizer},
                                 {"thaw", o->thaw},
                                 {"batch_norm", o->batch_norm},
                                 {"augment", o->augment},
                                 {"schedule", o->schedule}};
    memcpy(n, numbers, sizeof numbers);
    memcpy(w, words, sizeof words);
}

int hst_settings_record(hst_model *m, const hst_train_opts *o, hst_err *err)
{
    number n[N_NUMBERS];
    word w[N_WORDS];
    int rc = 0;
    list(o, n, w);
    for (size_t i = 0; rc == 0 && i < (o->fine_tune ? N_WORDS : 1); i++)
        rc = hst_model_set_record(m, w[i].key, w[i].value, err);
    for (size_t i = 0; rc == 0 && i < (o->fine_tune ? N_NUMBERS : N_HEAD); i++)
        rc = hst_record_number(m, n[i].key, n[i].value, err);
    return rc;
}

int hst_settings_lines(const hst_train_opts *o, hst_buf *b, hst_err *err)
{
    number n[N_NUMBERS];
    word w[N_WORDS];
    list(o, n, w);
    hst_buf_printf(b, "recipe=%s\nprepare=%s\nseed=%" PRIu64 "\nclass_weight=%s\n", o->recipe,
                   o->prepare, o->seed, o->class_weight ? o->class_weight : "none");
    for (size_t i = 0; i < N_WORDS; i++)
        hst_buf_printf(b, "%s=%s\n", w[i].key, w[i].value);
    for (size_t i = 0; i < N_NUMBERS; i++) {
        hst_buf_printf(b, "%s=", n[i].key);
        hst_buf_double(b, n[i].value);
        hst_buf_puts(b, "\n");
    }
    return hst_buf_check(b, err);
}
