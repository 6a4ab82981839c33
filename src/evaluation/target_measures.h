/* target_measures.h - metrics of an evaluation whose photos have several labels, or a number. Each
 * with its interval by the bootstrap over photos of outcomes.h. */
#ifndef HST_EVALUATION_TARGET_MEASURES_H
#define HST_EVALUATION_TARGET_MEASURES_H
#include "evaluation/evaluation.h"

/* As hst_label_names calls them. Micro: of the marks of all labels together. Macro: the mean over
 * the labels that have photos or were said of one. */
enum hst_label_measure {
    HST_LABEL_MAP, /* mean over the labels that have photos of average precision, the sum over ranks
                      of precision times what recall gains */
    HST_LABEL_MICRO_F1,
    HST_LABEL_MACRO_F1,
    HST_LABEL_MICRO_PRECISION,
    HST_LABEL_MICRO_RECALL,
    HST_LABEL_MACRO_PRECISION,
    HST_LABEL_MACRO_RECALL,
    HST_LABEL_SUBSET_ACCURACY, /* photos all of whose labels are right */
    HST_LABEL_HAMMING_LOSS,    /* part of all marks that are wrong */
    HST_LABEL_LOG_LOSS,        /* mean over all marks of -ln p of what is so */
    HST_N_LABEL_MEASURES
};
extern const char *const hst_label_names[HST_N_LABEL_MEASURES];

enum hst_number_measure {
    HST_NUMBER_MAE,
    HST_NUMBER_RMSE,
    HST_NUMBER_R2, /* 1 - squares of the errors / squares of the distances from the mean */
    HST_NUMBER_MEDIAN_ERROR,
    HST_N_NUMBER_MEASURES
};
extern const char *const hst_number_names[HST_N_NUMBER_MEASURES];

/* Of the photos of e that count. NaN where there are none. low and high may be NULL. Errors:
 * HST_EMEM. */
typedef struct hst_target_values {
    double *value, *low, *high; /* [HST_N_..._MEASURES], of labels with the average precisions of
                                   the classes behind them */
} hst_target_values;
HST_CHECK int hst_labels_measure(const hst_eval *e, const hst_target_values *out, hst_err *err);
HST_CHECK int hst_numbers_measure(const hst_eval *e, const hst_target_values *out, hst_err *err);
#endif
