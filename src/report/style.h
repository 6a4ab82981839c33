/* style.h - how report.html looks: light and dark, on paper, from 360 pixels width on. */
#ifndef HST_REPORT_STYLE_H
#define HST_REPORT_STYLE_H
extern const char hst_report_style[];
#endif
