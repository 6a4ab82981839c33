#include "base/mem.h"
#include "base/random.h"
#include "dataset/dataset.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {[HST_SPLIT_STABLE] = "stable",
                                    [HST_SPLIT_KERAS] = "keras",
                                    [HST_SPLIT_NONE] = "none",
                                    [HST_SPLIT_FOLDERS] = "folders"};

const char *hst_split_name(enum hst_split s)
{
    return names[s];
}

int hst_split_parse(const char *name, enum hst_split *out, hst_err *err)
{
    for (int i = 0; i < HST_SPLIT_FOLDERS; i++)
        if (strcmp(names[i], name) == 0) {
            *out = (enum hst_split)i;
            return 0;
        }
    return hst_fail(err, HST_EARG, "unknown split '%s': stable, keras or none", name);
}

/* A uniform number in [0, 1] that depends on the seed and the photo's content alone. */
static int content_number(uint64_t seed, const hst_digest *content, double *number, hst_err *err)
{
    uint8_t bytes[8 + sizeof *content], digest[32];
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(seed >> (8 * i));
    memcpy(bytes + 8, content, sizeof *content);
    int rc = hst_sha256_bytes(bytes, sizeof bytes, digest, err);
    if (rc != 0)
        return rc;
    for (int i = 0; i < 8; i++)
        v = v << 8 | digest[i];
    *number = (double)v * 0x1p-64;
    return 0;
}

/* number[i]: a photo's content number; negative: it could not be read. */
static int content_numbers(const hst_data *d, const hst_digest *content, double *number,
                           hst_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < d->n_photos; i++) {
        number[i] = -1;
        if (hst_digest_is_set(&content[i]))
            rc = content_number(d->seed, &content[i], &number[i], err);
    }
    return rc;
}

static int by_value(const void *pa, const void *pb)
{
    const double *a = pa, *b = pb;
    return *a < *b ? -1 : *a > *b;
}

/* kept[n_classes], rising: each class's largest number of a usable photo, and where photos are of
 * no one class that of all. Negative: there is none. */
static void find_kept(const hst_data *d, char *const *why, const double *number, double *kept)
{
    for (int c = 0; c < d->n_classes; c++)
        kept[c] = -1;
    for (size_t i = 0; i < d->n_photos; i++) {
        double *largest = &kept[d->target == HST_TARGET_CLASS ? d->photos[i].label : 0];
        if (number[i] > *largest && !(why && why[i]))
            *largest = number[i];
    }
    qsort(kept, (size_t)d->n_classes, sizeof *kept, by_value);
}

static int split_stable(const hst_data *d, const hst_digest *content, char *const *why,
                        uint8_t *side, hst_err *err)
{
    size_t classes = (size_t)d->n_classes;
    double *number = hst_alloc(d->n_photos, sizeof *number, err);
    double *kept = number ? hst_alloc(classes, sizeof *kept, err) : NULL;
    int rc = kept ? content_numbers(d, content, number, err) : HST_EMEM;
    if (rc == 0) {
        find_kept(d, why, number, kept);
        for (size_t i = 0; i < d->n_photos; i++)
            side[i] = number[i] < 0 ? HST_UNSPLIT
                      : number[i] < d->val_part &&
                              !bsearch(&number[i], kept, classes, sizeof *kept, by_value)
                          ? HST_VALIDATION
                          : HST_TRAIN;
    }
    free(number);
    free(kept);
    return rc;
}

int hst_split_assign(const hst_data *d, const hst_digest *content, char *const *why, uint8_t *side,
                     hst_err *err)
{
    if (d->split == HST_SPLIT_STABLE)
        return split_stable(d, content, why, side, err);
    for (size_t i = 0; i < d->n_photos; i++)
        side[i] = (uint8_t)d->photos[i].side;
    return 0;
}

int hst_split_keras(size_t n, double val_part, uint64_t seed, uint8_t *side, size_t *order,
                    hst_err *err)
{
    if (!(val_part > 0 && val_part < 1))
        return hst_fail(err, HST_EARG, "the validation part %g is not between 0 and 1", val_part);
    size_t n_val = (size_t)(val_part * (double)n); /* Python's int(): towards zero */
    if (seed > UINT32_MAX || n > UINT32_MAX)
        return hst_fail(err, HST_EARG, "the Keras split takes seeds and photo counts below 2^32");
    if (n_val == 0 || n_val >= n)
        return hst_fail(err, HST_EDATA,
                        "too few photos: a validation part of %g leaves %zu of %zu photos for "
                        "training and %zu for validation",
                        val_part, n - n_val, n, n_val);
    hst_mt19937 *random = hst_alloc(1, sizeof *random, err);
    size_t *shuffled = random ? hst_alloc(n, sizeof *shuffled, err) : NULL;
    if (!shuffled) {
        free(random);
        return HST_EMEM;
    }
    for (size_t i = 0; i < n; i++)
        shuffled[i] = i;
    hst_mt19937_seed(random, (uint32_t)seed);
    hst_mt19937_shuffle(random, shuffled, n);
    for (size_t i = 0; i < n; i++)
        side[shuffled[i]] = i < n - n_val ? HST_TRAIN : HST_VALIDATION;
    if (order)
        memcpy(order, shuffled, n * sizeof *order);
    free(shuffled);
    free(random);
    return 0;
}
