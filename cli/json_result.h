/* json_result.h - results for other programs: one JSON object on standard output. */
#ifndef HST_CLI_JSON_RESULT_H
#define HST_CLI_JSON_RESULT_H
#include "job.h"

#include <jansson.h>

/* Sets key of object o to value and takes value over. Once anything was NULL (no memory), *o is
 * freed and NULL, and later calls do nothing; cli_json_print tells. */
void cli_json_set(json_t **o, const char *key, json_t *value);
/* The same for a list: appends value. */
void cli_json_add(json_t **list, json_t *value);
/* Text as JSON can hold it: control characters and broken UTF-8 as '?'; NULL as null. */
json_t *cli_json_text(const char *s);
/* A number, or null where there was no photo to measure it on (NaN). */
json_t *cli_json_measured(double v);
/* The ends of an interval as a list of two; null where there is none (NaN). */
json_t *cli_json_interval(double low, double high);
/* image_px, null where width and height differ, image_width_px and image_height_px. */
void cli_json_image_size(json_t **o, const hst_backbone_info *b);
/* The numbers of an evaluation: accuracy, n, ci_low, ci_high, balanced_accuracy,
 * log_loss; null where no photo could be measured. Of labels and numbers target, map or
 * mae with its interval, n. */
void cli_json_accuracy(json_t **o, const hst_eval *e);
/* What the photos kept aside say, as an object: "holdout"; and which of both the numbers of
 * cli_json_accuracy are: "estimate", "out-of-fold" or "hold-out". */
void cli_json_estimate(json_t **o, const hst_run *r);
/* labels, classes (list of label, precision, recall, f1, support), confusion ([truth][guess]). Of
 * labels and numbers metrics (value and interval by name), of labels classes with their scores. */
void cli_json_classes(json_t **o, const hst_eval *e);
/* What the scan of photos made of them: "understood", a line or null, and "left_out", how many
 * files and folders were not taken by why: {"format": 3, "junk": 2}. */
void cli_json_data(json_t **o, const hst_data *d);
/* Writes o on one line and frees it. 0, or the exit status after an error line. */
int cli_json_print(cli_out *out, json_t *o);
#endif
