#include "report/lines.h"

#include "base/str.h"
#include "model/model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

void hst_lines_add(hst_lines *f, const char *name, int code, const char *fmt, ...)
{
    va_list args;
    if (f->n == HST_LINES)
        return;
    va_start(args, fmt);
    vsnprintf(f->text[f->n], HST_LINE_TEXT, fmt, args);
    va_end(args);
    f->fact[f->n] = (hst_report_fact){name, f->text[f->n], code};
    f->n++;
}

void hst_lines_backbones(hst_lines *f, const hst_model *m)
{
    const hst_backbone *b;
    char views[1024];
    hst_extractor_describe(m->extractor, views, sizeof views);
    hst_lines_add(f, "backbone", 0, "%s", views);
    for (int i = 0; (b = hst_model_backbone_at(m, i)); i++) {
        if (b->source[0])
            hst_lines_add(f, "weights", 1, "%s", b->source);
        if (b->licence)
            hst_lines_add(f, "their licence", 0, "%s", b->licence);
        if (b->sha256[0])
            hst_lines_add(f, "their SHA-256", 1, "%s", b->sha256);
    }
}

void hst_lines_occasion(hst_lines *f, const hst_report_opts *o)
{
    if (o->date)
        hst_lines_add(f, "date", 0, "%s", o->date);
    if (o->command)
        hst_lines_add(f, "command", 1, "%s", o->command);
}

void hst_lines_seconds(hst_lines *f, const char *name, double seconds)
{
    const long ms = lround(1000 * seconds);
    hst_lines_add(f, name, 0, "%ld.%03ld s", ms / 1000, ms % 1000);
}

double hst_recorded_number(const hst_model *m, const char *key)
{
    const char *text = hst_model_record(m, key);
    double v;
    return text && hst_read_real(text, NULL, &v) ? v : 0;
}
