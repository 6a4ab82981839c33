/* settings.h - options of recipes that learn step by step: defaults, checks, record. */
#ifndef HST_TRAINING_SETTINGS_H
#define HST_TRAINING_SETTINGS_H
#include "training/recipe.h"

/* What a recipe does where nothing is said. */
typedef struct hst_settings {
    int epochs, batch;
    const char *optimizer;
    double rate, adaptive_rate; /* learning rate of sgd and nesterov, and of the others */
    double l2, label_smoothing, dropout;
    const char *thaw, *batch_norm, *augment, *schedule;
    double layer_decay, clip;
} hst_settings;

/* Completes and checks what training a head needs. Errors: HST_EARG. */
HST_CHECK int hst_settings_head(const hst_settings *s, hst_train_opts *o, hst_err *err);
/* The same for what training the backbone needs besides. o->thaw stays the caller's text. */
HST_CHECK int hst_settings_tuning(const hst_settings *s, const hst_backbone *b, hst_train_opts *o,
                                  hst_err *err);
/* Refuses all that training the backbone needs; who: that has none of it. */
HST_CHECK int hst_settings_no_tuning(const hst_train_opts *o, const char *who, hst_err *err);

/* The settings, for the model's record. */
HST_CHECK int hst_settings_record(hst_model *m, const hst_train_opts *o, hst_err *err);
/* All that decides the result, a line each: "epochs=5\n". */
HST_CHECK int hst_settings_lines(const hst_train_opts *o, hst_buf *b, hst_err *err);
#endif
