/* fine_tune.c - two phases: the head alone, as recipe auto trains it, on features computed once;
 * then backbone and head together, at a low rate that rises and falls in one cycle (Kumar et al.
 * 2022, arXiv 2202.10054, on why the head comes first). */
#include "training/settings.h"
#include "training/tune.h"

#include <string.h>

static const hst_settings standard = {.epochs = 5,
                                      .batch = 32,
                                      .optimizer = "adamw",
                                      .rate = 0.005,
                                      .adaptive_rate = 0.0003,
                                      .l2 = 0,
                                      .label_smoothing = 0.1,
                                      .dropout = 0.2,
                                      .thaw = "all",
                                      .batch_norm = "frozen",
                                      .augment = "auto",
                                      .schedule = "one-cycle",
                                      .layer_decay = 1,
                                      .clip = 1};

static int check(hst_train_opts *o, const hst_backbone *b, hst_err *err)
{
    o->fine_tune = 1;
    int rc = hst_class_weight_check(o, err);
    if (rc == 0)
        rc = hst_settings_head(&standard, o, err);
    return rc ? rc : hst_settings_tuning(&standard, b, o, err);
}

static int fit(hst_fit *f, hst_err *err)
{
    static const hst_tuning tuning = {.start = hst_fit_logistic, .first_phase = 1};
    return hst_tune(f, &tuning, err);
}

const hst_recipe hst_recipe_fine_tune = {"fine-tune", check, fit};
