/* settings.h - what training is set to: read once from hst_train_opts, complete and in types. */
#ifndef HST_TRAINING_SETTINGS_H
#define HST_TRAINING_SETTINGS_H
#include "base/buf.h"
#include "images/augment.h"
#include "nn/learn.h"
#include "training/class_weights.h"
#include "training/optimiser.h"
#include "training/schedule.h"
#include "training/thaw.h"

enum hst_recipe_id { HST_RECIPE_AUTO, HST_RECIPE_FINE_TUNE, HST_RECIPE_TUTORIAL };
/* How hst_features_compute is to prepare photos. */
enum hst_preparation {
    HST_PREPARE_PIL,
    HST_PREPARE_TF,
    HST_PREPARE_FAST,
    HST_PREPARE_HUB,
    HST_PREPARE_SCALED
};
/* How a photo of another shape becomes a square: hst_prep_fit. */
enum hst_fitting { HST_FIT_SQUASH, HST_FIT_CROP, HST_FIT_PAD };
/* What the final head learns from; by split: all photos where the split is ours. */
/* What is done about photos whose label is likely wrong (robust.h):
 * HST_ROBUST_DROP     suspicious ones are not learned from, but a class keeps half of its own
 * HST_ROBUST_WEIGHTS  each photo weighs by the probability of its label, at least 0.1; mean 1 */
enum hst_robust { HST_ROBUST_NONE, HST_ROBUST_DROP, HST_ROBUST_WEIGHTS };
enum hst_final { HST_FINAL_BY_SPLIT, HST_FINAL_ALL, HST_FINAL_TRAIN };

/* Which backbone a fine-tuned model has. */
enum hst_keep { HST_KEEP_BEST, HST_KEEP_TUNED };

/* What a prior may be but a file. */
#define HST_PRIOR_AS_TRAINED "as-trained"
#define HST_PRIOR_BALANCED   "balanced"

/* Their words, by the enum; NULL ends them. */
extern const char *const hst_recipe_names[], *const hst_preparation_names[],
                                                 *const hst_final_names[], *const hst_fit_names[];

typedef struct hst_settings {
/* Of what this training has not: 0, NULL, and of a double a negative number. */
#define HST_SETTING(kind, type, field, ...) type field;
#include "training/settings_table.h"
    int finds_rate;      /* 1: learning_rate is found before training (0 until then) */
    hst_thaw layers;     /* of thaw, once a backbone is known (hst_settings_thaw) */
    const char *run_dir; /* for checkpoints, or NULL */
    int resume;
} hst_settings;

/* The caller's options, those left out being the recipe's; texts are borrowed. Errors: HST_EARG (an
 * unknown word, a number out of range, a setting that the recipe has not). */
HST_CHECK int hst_settings_read(const hst_train_opts *given, hst_settings *out, hst_err *err);
/* Where the backbone learns: which of its layers. Errors: HST_EARG. */
HST_CHECK int hst_settings_thaw(hst_settings *s, const hst_graph *g, hst_err *err);

/* prepare and fit in one, as hst_features_compute takes them. */
const char *hst_settings_preparation(const hst_settings *s);

/* One setting as it is. */
typedef struct hst_setting_value {
    const hst_setting *setting;
    const char *word; /* of a choice or a text; NULL: it is a number */
    double number;    /* negative: there is none (momentum) */
} hst_setting_value;
/* The next setting from number *i on that decides the result and is this recipe's; 0: no more. What
 * all recipes have is left out: recipe, seed, prepare, class_weight. So is a setting that came into
 * the table later where it has its default: a model that it did not change says nothing of it. */
int hst_settings_next(const hst_settings *s, int *i, hst_setting_value *out);
/* All that decides the result, a line each: "epochs=5\n". */
HST_CHECK int hst_settings_lines(const hst_settings *s, hst_buf *b, hst_err *err);
#endif
