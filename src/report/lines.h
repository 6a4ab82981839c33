/* lines.h - lines of "how it was made" with texts of their own. */
#ifndef HST_REPORT_LINES_H
#define HST_REPORT_LINES_H
#include "report/report.h"

enum { HST_LINES = 32, HST_LINE_TEXT = 4096 };

typedef struct hst_lines {
    hst_report_fact fact[HST_LINES];
    char text[HST_LINES][HST_LINE_TEXT]; /* a longer one is cut */
    size_t n;
} hst_lines;

/* name is a constant; code as in hst_report_fact. What is beyond HST_LINES is left out. */
void hst_lines_add(hst_lines *f, const char *name, int code, const char *fmt, ...) HST_PRINTF(4, 5);
/* The model's backbones: what they are, licence and hash of their weights. */
void hst_lines_backbones(hst_lines *f, const hst_model *m);
/* Date and command, as far as they are said. */
void hst_lines_occasion(hst_lines *f, const hst_report_opts *o);
void hst_lines_seconds(hst_lines *f, const char *name, double seconds);
/* A number of the training record; 0: it is not there. */
double hst_recorded_number(const hst_model *m, const char *key);
#endif
