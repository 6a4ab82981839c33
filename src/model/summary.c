/* summary.c - the layers as a table in the form of tf_keras' print_summary (utils/layer_utils.py).
 */
#include "model/model.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Keras' columns end at 45 %, 85 % and 100 % of 65 characters; two between columns stay free. */
enum { TABLE_W = 65, NAME_W = 29, SHAPE_W = 26, COUNT_W = 10, TABLE_MAX = 2048 };

typedef struct table {
    char text[TABLE_MAX];
    size_t n;
} table;

/* The lines have bounded lengths, so all of them fit. */
static void HST_PRINTF(2, 3) put(table *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(t->text + t->n, sizeof t->text - t->n, fmt, args);
    va_end(args);
    t->n += (size_t)n;
}

static void put_rule(table *t, char c)
{
    char line[TABLE_W + 1];
    memset(line, c, TABLE_W);
    line[TABLE_W] = '\0';
    put(t, "%s\n", line);
}

static void put_row(table *t, const char *name, const char *shape, const char *count)
{
    put(t, "%-*s%-*s%-*s\n", NAME_W, name, SHAPE_W, shape, COUNT_W, count);
}

static void put_layer(table *t, const char *name, int units, uint64_t n_params)
{
    char shape[32], count[32];
    snprintf(shape, sizeof shape, "(None, %d)", units);
    snprintf(count, sizeof count, "%" PRIu64, n_params);
    put_row(t, name, shape, count);
    put_rule(t, ' ');
}

/* "Total params: 2264389 (8.64 MB)": four bytes each, in units of 1024, two decimals. The product
 * is exact, so that llrint rounds as Python's %.2f does: to the nearest, halves to even. */
static void put_total(table *t, const char *what, uint64_t n_params)
{
    static const char *const units[] = {"Byte", "KB", "MB", "GB", "TB"};
    double size = 4 * (double)n_params;
    size_t unit = 0;
    for (; size >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++)
        size /= 1024;
    long long hundredths = llrint(100 * size);
    put(t, "%s params: %" PRIu64 " (%lld.%02lld %s)\n", what, n_params, hundredths / 100,
        hundredths % 100, units[unit]);
}

/* Backbone parameters that learned; 0 where the record has no sensible number. */
static uint64_t thawed(const hst_model *m, uint64_t most)
{
    const char *text = hst_model_record(m, "thawed_params");
    uint64_t n = 0;
    for (; text && *text >= '0' && *text <= '9' && n <= most; text++)
        n = 10 * n + (uint64_t)(*text - '0');
    return n <= most && !(text && *text) ? n : 0;
}

size_t hst_model_summary(const hst_model *m, char *buf, size_t cap)
{
    table t = {.n = 0};
    const hst_backbone_info *b;
    uint64_t head = ((uint64_t)m->dim + 1) * (uint64_t)m->n_classes, all = 0, weights = 0;
    for (int i = 0; i < m->extractor->n_branches; i++) {
        b = hst_backbone_describe(hst_model_backbone_at(m, i));
        all += b->n_params;
        weights += b->n_params - b->n_statistics;
    }
    uint64_t learned = thawed(m, weights);
    put(&t, "Model: \"sequential\"\n");
    put_rule(&t, '_');
    put_row(&t, " Layer (type)", "Output Shape", "Param #");
    put_rule(&t, '=');
    for (int i = 0; i < m->extractor->n_branches; i++) { /* at most HST_MAX_BESIDE: they fit */
        char name[NAME_W + 16], number[16] = "";
        b = hst_backbone_describe(hst_model_backbone_at(m, i));
        if (i)
            snprintf(number, sizeof number, "_%d", i);
        snprintf(name, sizeof name, " keras_layer%s (KerasLayer)", number);
        put_layer(&t, name, b->n_features, b->n_params);
    }
    if (hst_model_record(m, "dropout"))
        put_layer(&t, " dropout (Dropout)", m->dim, 0);
    put_layer(&t, " dense (Dense)", m->n_classes, head);
    put_rule(&t, '=');
    put_total(&t, "Total", all + head);
    put_total(&t, "Trainable", learned + head);
    put_total(&t, "Non-trainable", all - learned);
    put_rule(&t, '_');
    if (cap > 0)
        snprintf(buf, cap, "%s", t.text);
    return t.n;
}
