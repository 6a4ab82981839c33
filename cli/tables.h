/* tables.h - an evaluation as text for people, within 80 columns. */
#ifndef HST_CLI_TABLES_H
#define HST_CLI_TABLES_H
#include "job.h"

/* "accuracy 0.917 (95 % interval 0.853-0.955, 110 of 120 validation photos)" */
void cli_table_headline(cli_out *out, const hst_eval *e, const char *photos);
/* Where accuracy alone would mislead: the balanced accuracy, when the largest class has more than 5
 * photos for one of the smallest; a sentence, when its interval is wider than 10 points. */
void cli_table_caveats(cli_out *out, const hst_eval *e);
/* The headline of a training run and, where its model learned from all photos, what that figure is
 * and what the photos kept aside say; brief: the headline alone. */
void cli_table_estimate(cli_out *out, const hst_run *r, int brief);
/* The pairs of classes that most photos are confused in, as lines and an empty one; nothing where
 * all are right. */
void cli_table_confused(cli_out *out, const hst_eval *e);
/* A line per class: precision, recall with its interval, F1, AUROC, photos. */
void cli_table_classes(cli_out *out, const hst_eval *e);
/* The confusion matrix; nothing with too many classes to read one. */
void cli_table_confusion(cli_out *out, const hst_eval *e);
/* How often the model was right where it was about so sure. */
void cli_table_reliability(cli_out *out, const hst_eval *e);
#endif
