/* mixing.h - photos of a batch mixed in pairs, with their labels.
 *
 *   mixup (Zhang et al. 2018)    x = part a + (1 - part) b          of every pixel
 *   CutMix (Yun et al. 2019)     x = a with a rectangle of b        part: the area that stays a's
 *   target = part [class == a's label] + (1 - part) [class == b's label]
 *
 * part ~ Beta(alpha, alpha), one of a step. Batches are shuffled, so partners are the first and the
 * last, the second and the last but one, ...; the two make each other's mixtures, so that part may
 * be taken from 1/2 to 1: smaller parts are the same mixtures in the partner's place. */
#ifndef HST_TRAINING_MIXING_H
#define HST_TRAINING_MIXING_H
#include "images/size.h"

#include <stddef.h>
#include <stdint.h>

/* alpha of each; 0: never. Where both are set, a step takes one or the other, evenly. */
typedef struct hst_mixing {
    double mixup, cutmix;
} hst_mixing;

enum hst_mix_kind { HST_MIX_NONE, HST_MIX_UP, HST_MIX_CUT };
typedef struct hst_mix {
    enum hst_mix_kind kind;
    float part;                   /* 0.5 .. 1 that is the photo's own */
    int left, top, right, bottom; /* CutMix: of the rectangle, in pixels; right, bottom excluded */
} hst_mix;

/* Of a step of photos of that size; depends on nothing else. */
hst_mix hst_mix_draw(const hst_mixing *m, uint64_t seed, uint32_t step, hst_size size);

/* The photos of a batch that somebody has to do with: first .. first+own-1 of n. */
typedef struct hst_mix_rows {
    size_t n, first, own;
} hst_mix_rows;
/* 1: photo i is one of them or a partner of one. */
int hst_mix_wants(const hst_mix_rows *r, size_t i);
/* In place, x[n][height][width][3], the pairs that are wanted. */
void hst_mix_apply(const hst_mix *m, float *x, const hst_mix_rows *r, hst_size size);
/* The partner of photo i of n; of the middle one itself. */
size_t hst_mix_partner(size_t i, size_t n);
#endif
