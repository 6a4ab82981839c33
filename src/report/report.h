/* report.h - what people look at: report.html, CSV files, pictures. */
#ifndef HST_REPORT_REPORT_H
#define HST_REPORT_REPORT_H
#include "base/buf.h"
#include "dataset/dataset.h"
#include "evaluation/evaluation.h"
#include "images/augment.h"
#include "inspection/near.h"
#include "prediction/explain.h"
#include "training/run.h"

/* A line of "how it was made". */
typedef struct hst_report_fact {
    const char *name, *value;
    int code; /* value is a path, a command or a hash */
} hst_report_fact;

typedef struct hst_report_in {
    const hst_ctx *ctx;     /* whose threads read photos; NULL: one thread */
    const hst_model *model; /* says why photos are wrong (with ctx); NULL: nobody does */
    const char *title;      /* the folder that was trained on, or that was evaluated */
    const char *root;       /* paths of photos are shown from this folder on; NULL: as they are */
    const char *backbone, *licence; /* NULL: not known */
    int fine_tuned;                 /* the backbone learned too */
    const char *evaluation;         /* the model, where the page is of an evaluation; else NULL */
    const hst_eval *eval;
    const hst_eval *holdout; /* eval is out of fold; NULL: it is of the validation side, or of the
                                folder evaluated */
    const uint64_t *class_photos; /* [classes] photos there are; NULL: those of eval */
    size_t n_train, n_skipped;
    const char *const *skipped_path, *const *skipped_why; /* [n_skipped] */
    const hst_epoch *history;
    size_t n_history;
    double loss_floor; /* as hst_curves */
    /* What calibration changed: log loss of the photos that it was chosen on; 0: there was none. */
    double temperature, loss_before, loss_after;
    const hst_learning_curve *growth; /* NULL: not made */
    const hst_data *data;             /* what near and pixels are of; NULL: not known */
    const uint64_t *pixels;           /* [photos of data] hst_picture.pixels */
    const hst_near *near;             /* near duplicates among them; NULL: not looked for */
    const hst_inspection *inspection; /* what is wrong with the photos; NULL: nobody looked */
    const hst_review *review;         /* of the photos' labels; NULL: none was made */
    const hst_effort_step *step;      /* [n_steps] what was tried */
    size_t n_steps;
    const hst_report_fact *fact; /* [n_facts] how it was made */
    size_t n_facts;
    const hst_report_fact *job; /* [n_job] what differs between equal jobs: date, command, times */
    size_t n_job;
} hst_report_in;

/* One self-contained page that needs no script: headline with its interval, confusion matrix whose
 * cells open their photos, classes, wrong and unsure photos (small JPEG pictures inside the page),
 * how it was made. All text escaped. What is not there (NULL, 0) has no section. */
HST_CHECK int hst_report_html(const hst_report_in *in, const char *path, hst_err *err);
/* The caller's, NULL: none said. HST_EARG: as hst_sized_read. */
HST_CHECK int hst_report_opts_read(const hst_report_opts *given, hst_report_opts *out,
                                   hst_err *err);
/* path,true,predicted,p_<label>...; of several labels with '|' between, of a number without the
 * last. */
HST_CHECK int hst_report_predictions(const hst_eval *e, const char *path, hst_err *err);

/* Loss and accuracy over the epochs. */
typedef struct hst_curves {
    const hst_epoch *history; /* [n], finite; n at least 2. All or none have validation
                                 numbers: where none has, there is no line of them. */
    size_t n;
    double loss_floor; /* above 0: drawn in as the smallest loss that can be reached */
} hst_curves;

/* Added to b; the same input gives the same bytes. Errors: HST_EMEM. */
HST_CHECK int hst_curves_png(const hst_curves *in, hst_buf *b, hst_err *err);
HST_CHECK int hst_curves_svg(const hst_curves *in, hst_buf *b, hst_err *err);

/* The smallest cross-entropy a prediction can have against smoothed targets: their entropy,
 * -sum_k t_k ln t_k with t = 1 - smoothing + smoothing / n for the true class and smoothing / n for
 * the other n - 1 (Szegedy et al. 2016). 0 without smoothing. */
double hst_smoothing_floor(double smoothing, int n_classes);

/* Photo i of e, at most 480 pixels a side, with its true and its predicted label above it, as PNG.
 * One that has gone since leaves its place empty. Errors: HST_EARG (no such photo), HST_EIO,
 * HST_EMEM. */
HST_CHECK int hst_report_photo(const hst_eval *e, size_t i, const char *path, hst_err *err);

/* The last photo of x, at most px pixels a side, under the map of what speaks for the class, as
 * hst_explain_draw() has it; ended by hst_image_clear. Errors: HST_EARG (no photo was explained),
 * HST_EIMAGE, HST_EMEM. */
HST_CHECK int hst_report_cam(const hst_explainer *x, int px, hst_image *out, hst_err *err);
/* Puts the colour of v, 0 to 1 of the most, over a pixel. */
void hst_report_cam_paint(uint8_t *pixel, double v);
/* The same for photos[n], each of a class (-1: the predicted one), on all threads. Those that
 * cannot be used leave theirs without pixels. Errors: HST_EUNSUP (the model has no maps), HST_EMEM;
 * then no out[] has pixels. */
typedef struct hst_cam_wish {
    const char *path;
    int label;
} hst_cam_wish;
HST_CHECK int hst_report_cams(const hst_ctx *ctx, const hst_model *m, const hst_cam_wish *photo,
                              size_t n, int px, hst_image *out, hst_err *err);

/* Photos, and the numbers that stand for them in an augmentation's key. */
typedef struct hst_augmented {
    const hst_ctx *ctx;
    enum hst_augment how;
    const hst_prep *prep;
    uint64_t seed;
    const char *const *path;  /* [n] */
    const uint32_t *photo;    /* [n] */
    size_t n;                 /* at most 8 are drawn */
    const char *const *label; /* [n] names above the rows; NULL: none */
} hst_augmented;

/* Each photo as prepared and as augmented in passes 0 to 4, side by side, as PNG. One that has gone
 * since leaves its row empty. Of a network with more than 1024 pixels a side no picture is made.
 * Errors: HST_EIO, HST_EMEM. */
HST_CHECK int hst_report_augmented(const hst_augmented *in, const char *path, hst_err *err);
#endif
