/* pattern.h - labels out of paths: a POSIX extended regular expression whose first group is the
 * label. */
#ifndef HST_DATASET_PATTERN_H
#define HST_DATASET_PATTERN_H
#include "base/mem.h"

#include <regex.h>

typedef struct hst_pattern {
    regex_t regex;
} hst_pattern;

/* Errors: HST_EARG (no such expression, or one without a group). */
HST_CHECK int hst_pattern_make(hst_pattern *p, const char *text, hst_err *err);
void hst_pattern_clear(hst_pattern *p);
/* In the arena; NULL: the path does not match, or its group is empty. Errors: HST_EMEM. */
HST_CHECK int hst_pattern_label(const hst_pattern *p, hst_arena *arena, const char *path,
                                const char **label, hst_err *err);
#endif
