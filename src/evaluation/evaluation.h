/* evaluation.h - predictions over labelled photos, kept with what was computed from them. */
#ifndef HST_EVALUATION_EVALUATION_H
#define HST_EVALUATION_EVALUATION_H
#include "base/context.h"
#include "base/spill.h"
#include "evaluation/metrics.h"
#include "evaluation/outcomes.h"
#include "model/model.h"

/* Photos of the largest class for one of the smallest, beyond which accuracy alone misleads. */
enum { HST_UNEQUAL = 5 };

/* What an evaluation's model says of a photo. */
typedef struct hst_eval_kind {
    const char *const *labels; /* [n_classes] */
    int n_classes;
    enum hst_target target;
    const float *threshold; /* [n_classes] of labels; else NULL */
    const double *ends;     /* [HST_NUMBER_ENDS] of a number (hst_number); else NULL */
    const hst_ctx *ctx;     /* of the job; NULL: all of it stays in memory */
} hst_eval_kind;

struct hst_eval {
    hst_ctx ctx; /* to read photos with; silent, nothing to close */
    enum hst_target target;
    int n_classes;
    char **labels;
    float *threshold;             /* [n_classes] of labels; else NULL */
    double ends[HST_NUMBER_ENDS]; /* of a number */
    /* Photos that count: those that are neither copies nor seen. Everything below that is measured
     * is measured on them. */
    size_t n;
    size_t n_copies;           /* photos with the same picture as one before */
    size_t n_seen;             /* of the others, those that the model has learned from */
    uint64_t seen_hits;        /* of these */
    size_t n_skipped;          /* set by who adds */
    size_t n_stored;           /* of all, those that needed no forward pass; set by who adds */
    size_t n_photos;           /* added so far: n + n_copies + n_seen */
    size_t cap;                /* room, in photos */
    int folds;                 /* out of so many folds (hst_fold_trials); 1: of one model */
    uint64_t hits;             /* guess == truth; all of its labels are right; none of numbers */
    hst_spill *photos, *probs; /* where photo and prob live */
    /* [n_photos]; of each, path (but for borrows_paths), prob and marks are its own. Whoever passes
     * over them asks hst_eval_at(), which tells the spills. */
    hst_eval_photo *photo;
    int borrows_paths;      /* set by who adds, before */
    uint64_t *pixels;       /* [n_photos] as in hst_picture; 0: not known */
    float *prob;            /* [n_photos][n_classes] */
    uint8_t *marks;         /* [n_photos][n_classes] of labels; else NULL */
    uint64_t *confusion;    /* [truth][guess] of classes; else NULL */
    uint64_t *said;         /* [n_classes][2] of labels: photos with it, and of them those that have
                               it; else NULL */
    hst_class_score *score; /* [n_classes] */
    hst_confused *confused; /* [n_confused], most photos first */
    size_t n_confused;
    hst_reliability bin[HST_BINS];
    /* NaN where there are no photos: */
    double log_loss; /* mean of -ln p(truth), p clipped below at DBL_EPSILON as scikit-learn */
    double balanced_accuracy;      /* mean recall of the classes that have photos */
    double imbalance;              /* photos of the largest of them for one of the smallest */
    struct hst_measures *measures; /* measures.h: other metrics, once they were asked for */
};

/* A photo and what a model says of it. */
typedef struct hst_judged {
    const char *path;
    int truth;                   /* of classes */
    const uint8_t *marks;        /* [n_classes] of labels */
    double number;               /* of numbers */
    const float *prob;           /* [n_classes]; of numbers the one that was predicted */
    uint64_t pixels;             /* of its hst_picture; 0: not known */
    int seen;                    /* 1: the model has learned from it */
    const double *unknown_score; /* NULL: NaN */
} hst_judged;

/* Room for n photos. Fill with hst_eval_add (HST_EARG: full, or truth out of range), then
 * hst_eval_finish. */
HST_CHECK hst_eval *hst_eval_new(const char *const *labels, int n_classes, size_t n, hst_err *err);
HST_CHECK int hst_eval_add(hst_eval *e, const hst_judged *j, hst_err *err);
HST_CHECK int hst_eval_finish(hst_eval *e, hst_err *err);
/* The same of any kind. */
HST_CHECK hst_eval *hst_eval_of(const hst_eval_kind *k, size_t n, hst_err *err);
/* For what m says. */
HST_CHECK hst_eval *hst_eval_of_model(const hst_ctx *ctx, const hst_model *m, size_t n,
                                      hst_err *err);
/* Photos of a sample drawn again (hst_outcomes). */
size_t hst_eval_draws(const hst_eval *e);
/* 1: all labels of the photo, or its class, are right. */
int hst_eval_right(const hst_eval *e, const hst_eval_photo *p);
/* label[classes of d]: the model's of each, by name. HST_EDATA: it has no such, or they are of
 * another target. */
HST_CHECK int hst_eval_match(const hst_model *m, const hst_data *d, int *label, hst_err *err);
/* Of all photos of d; label[classes of d]: the model's of each; NULL: all count as of class 0, for
 * photos of no class. NULL is returned with the reason. */
HST_CHECK hst_eval *hst_eval_through(hst_ctx *ctx, const hst_model *m, const hst_data *d,
                                     const int *label, hst_err *err);
/* 1: the photo counts in what is measured. */
static inline int hst_eval_counts(const hst_eval_photo *p)
{
    return !p->seen && !p->copy;
}
#endif
