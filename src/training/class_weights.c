#include "training/class_weights.h"
#include "base/mem.h"
#include "base/str.h"
#include "training/class_numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char power[] = "power:";
enum { POWER_MOST = 4 };

static int read_power(const char *text, hst_class_weights *w, hst_err *err)
{
    double x;
    if (!hst_read_real(text + sizeof power - 1, NULL, &x) || !(x >= 0 && x <= POWER_MOST))
        return hst_fail(err, HST_EARG,
                        "class-weight power:X wants a number from 0 to %d for X, not '%s'",
                        POWER_MOST, text + sizeof power - 1);
    w->kind = x > 0 ? HST_WEIGHT_POWER : HST_UNWEIGHTED;
    w->power = x;
    return 0;
}

static int read_file(const char *path, const hst_data *d, hst_class_weights *w, hst_err *err)
{
    static const hst_class_numbers words = {
        .what = "weight",
        .choices = "class weights are none, balanced, power:X or a file with a line label,weight "
                   "for each class"};
    w->given = hst_alloc((size_t)d->n_classes, sizeof *w->given, err);
    if (!w->given)
        return HST_EMEM;
    const int rc = hst_class_numbers_read(path, &words, d, w->given, err);
    w->kind = HST_WEIGHT_GIVEN;
    if (rc)
        hst_class_weights_clear(w);
    return rc;
}

int hst_class_weights_read(const char *text, const hst_data *d, hst_class_weights *w, hst_err *err)
{
    *w = (hst_class_weights){.kind = HST_UNWEIGHTED};
    if (!text || strcmp(text, HST_CLASS_WEIGHT_NONE) == 0)
        return 0;
    if (strcmp(text, HST_CLASS_WEIGHT_BALANCED) == 0) {
        *w = (hst_class_weights){.kind = HST_WEIGHT_POWER, .power = 1};
        return 0;
    }
    if (strncmp(text, power, sizeof power - 1) == 0)
        return read_power(text, w, err);
    return d ? read_file(text, d, w, err) : 0;
}

void hst_class_weights_clear(hst_class_weights *w)
{
    free(w->given);
    *w = (hst_class_weights){.kind = HST_UNWEIGHTED};
}

int hst_class_weights_are_equal(const hst_class_weights *w)
{
    return w->kind == HST_WEIGHT_POWER && w->power == 1;
}

double hst_class_weight_of(const hst_class_weights *w, int c, double n_c, double n, int n_classes)
{
    if (w->kind == HST_WEIGHT_GIVEN)
        return w->given[c];
    const double balanced = n / ((double)n_classes * n_c);
    return w->kind == HST_UNWEIGHTED ? 1 : w->power == 1 ? balanced : pow(balanced, w->power);
}
