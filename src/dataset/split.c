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

static int split_stable(const hst_data *d, const hst_digest *content, uint8_t *side, hst_err *err)
{
    for (size_t i = 0; i < d->n_photos; i++) {
        double number = 0;
        side[i] = HST_UNSPLIT;
        if (!hst_digest_is_set(&content[i]))
            continue;
        int rc = content_number(d->seed, &content[i], &number, err);
        if (rc != 0)
            return rc;
        side[i] = number < d->val_part ? HST_VALIDATION : HST_TRAIN;
    }
    return 0;
}

int hst_split_assign(const hst_data *d, const hst_digest *content, uint8_t *side, hst_err *err)
{
    size_t count[3] = {0};
    if (d->split == HST_SPLIT_STABLE) {
        int rc = split_stable(d, content, side, err);
        if (rc != 0)
            return rc;
    } else {
        for (size_t i = 0; i < d->n_photos; i++)
            side[i] = (uint8_t)d->photos[i].side;
    }
    if (d->split == HST_SPLIT_NONE)
        return 0;
    for (size_t i = 0; i < d->n_photos; i++)
        count[side[i]]++;
    if (count[HST_TRAIN] && count[HST_VALIDATION])
        return 0;
    return hst_fail(err, HST_EDATA,
                    "%s: too few photos: the split leaves %zu for training and %zu for validation; "
                    "add photos, or choose another validation part or seed",
                    d->dir, count[HST_TRAIN], count[HST_VALIDATION]);
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
