#include "backbones/norms.h"
#include "base/json.h"

#include <math.h>
#include <string.h>

/* Of pixels in 0..255, so deviations near zero or means far away are mistakes. */
#define MEAN_MAX 1e4
#define STD_MIN  1e-4
#define STD_MAX  1e4

static const struct {
    const char *name;
    hst_pixel_norm norm;
} norms[] = {
    {"pm1", HST_NORM_PM1},
    {"01", HST_NORM_01},
    {"imagenet", HST_NORM_IMAGENET},
    {"255", {{0, 0, 0}, {1, 1, 1}}},
};
enum { N_NORMS = sizeof norms / sizeof *norms };

int hst_pixel_norm_named(const char *name, hst_pixel_norm *out, hst_err *err)
{
    for (int i = 0; i < N_NORMS; i++)
        if (strcmp(norms[i].name, name) == 0) {
            *out = norms[i].norm;
            return 0;
        }
    return hst_fail(err, HST_EARG,
                    "unknown scaling '%.40s': known are pm1 (-1..1), 01 (0..1), imagenet (mean "
                    "and deviation of ImageNet on 0..1) and 255 (0..255)",
                    name);
}

const char *hst_pixel_norm_name(const hst_pixel_norm *n)
{
    for (int i = 0; i < N_NORMS; i++)
        if (memcmp(&norms[i].norm, n, sizeof *n) == 0)
            return norms[i].name;
    return NULL;
}

int hst_pixel_norm_check(const hst_pixel_norm *n, hst_err *err)
{
    for (int c = 0; c < 3; c++)
        if (!(fabsf(n->mean[c]) <= MEAN_MAX && n->std[c] >= STD_MIN && n->std[c] <= STD_MAX))
            return hst_fail(err, HST_EMODEL,
                            "input mean %g and deviation %g are out of bounds (pixels are 0 to "
                            "255)",
                            (double)n->mean[c], (double)n->std[c]);
    return 0;
}

int hst_pixel_norm_parse(const json_t *o, hst_pixel_norm *out, hst_err *err)
{
    double mean[3] = {0}, std[3] = {0};
    int rc = hst_json_reals3(o, "mean", -MEAN_MAX, MEAN_MAX, mean, err);
    rc = rc ? rc : hst_json_reals3(o, "std", STD_MIN, STD_MAX, std, err);
    for (int c = 0; rc == 0 && c < 3; c++) {
        out->mean[c] = (float)mean[c];
        out->std[c] = (float)std[c];
    }
    return rc;
}
