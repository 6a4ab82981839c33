/* model.h - what training makes: extractor, head, labels, record; and its file.
 *
 * safetensors; tensors "backbone/<param>" as hst_graph_param() names them, "head/kernel"
 * [dim][classes], "head/bias" [classes]. Metadata: format, format_version, arch (JSON), prepare
 * (JSON), labels (JSON list), source (JSON: file name and SHA-256 the backbone came from), record
 * (JSON object of strings), content_sha256 (of all else). No time, path, host or thread count.
 *
 * That is version 1, of one backbone that sees a photo in one way. Version 2 has a metadatum more,
 * branches: a JSON list of objects with arch, source, transform, weights ("backbone2/", in front of
 * its tensors' names; the first's are "backbone/") and views (list of prepare). arch, source and
 * prepare then repeat what is the first's.
 *
 * Version 3 is either of them with further tensors: "seen" (int64, the bits of the numbers in
 * hst_model's field); "unknown/root" (int8 [n][dim]), "unknown/label" (int32 [n]) and
 * "unknown/numbers" (float64 [8]: means, deviations, threshold and rate), all three or none, as in
 * hst_unknown.
 *
 * Version 4 is any of these whose head does not tell one class: a metadatum more, target ("labels"
 * or "number"). Of labels "head/threshold" (float32 [classes]); of a number, whose name is the one
 * label, "head/number" (float64 [6]), as in hst_number. Neither has "unknown/...".
 *
 * Version 5 is any of these in a variant: with features of another precision than fp32, as the
 * metadatum precision ("bf16", "int8") says, or with a backbone or a view that is no square: arch
 * and prepare then have image_width_px and image_height_px in the place of image_px
 * (images/size.h). Of int8 there is "backbone/<layer>/input_range" (float32 [2]) of every layer in
 * 8 bits: the least and the largest number that it reads. */
#ifndef HST_MODEL_MODEL_H
#define HST_MODEL_MODEL_H
#include "model/unknown.h"

typedef struct hst_record_pair {
    char *key, *value;
} hst_record_pair;

/* What is known of the numbers that a head tells. */
enum { HST_NUMBER_ENDS = 4 };
typedef struct hst_number {
    double least, most; /* of those that it learned from; NaN: not known */
    /* What is added to a prediction for the ends of its 95, 80, 80 and 95 % intervals, ascending;
     * infinite where photos were too few to say. */
    double ends[HST_NUMBER_ENDS];
} hst_number;

/* A layer between features and head, as models of other programs have: act(x . kernel + bias). */
enum { HST_MOST_HIDDEN = 4, HST_HIDDEN_MOST_DIM = 4096 };
typedef struct hst_hidden {
    int in, out;
    enum hst_act act; /* one with act(0) = 0 */
    float *kernel;    /* [in][out] */
    float *bias;      /* [out] */
} hst_hidden;

struct hst_model {
    hst_extractor *extractor; /* its backbones: borrowed when made by training, owned when loaded */
    enum hst_target target;
    int n_classes, dim; /* of a number: 1; of the features */
    char **labels;
    int n_hidden; /* 0 of every model of ours: others are not saved and not exported */
    hst_hidden hidden[HST_MOST_HIDDEN];
    float *kernel; /* [dim][n_classes]; behind hidden layers [out of the last][n_classes] */
    float *bias;   /* [n_classes] */
    float
        *threshold; /* [n_classes] HST_TARGET_LABELS: probability from which on it has the label */
    hst_number number; /* HST_TARGET_NUMBER */
    uint64_t *seen; /* [n_seen] ascending: pixels (hst_picture) of the photos that the head learned
                       from; NULL: not known */
    size_t n_seen;
    hst_unknown *unknown; /* owned; NULL: it cannot tell photos of no class */
    hst_record_pair *record;
    size_t n_record;
    char content_sha256[65]; /* after hst_model_seal or load */
};

#define HST_MODEL_FORMAT           "headstart"
#define HST_MODEL_VERSION          "1"
#define HST_MODEL_VERSION_BRANCHES "2"
#define HST_MODEL_VERSION_FURTHER  "3"
#define HST_MODEL_VERSION_TARGET   "4"
#define HST_MODEL_VERSION_VARIANT  "5"
enum { HST_MAX_CLASSES = 65536 };

/* An empty model (kernel and bias zero) over an extractor that it takes, also on failure; labels
 * are copied. HST_EARG: labels that are empty, equal or not UTF-8; a preparation that makes no
 * sense. */
HST_CHECK hst_model *hst_model_new(hst_extractor *e, const char *const *labels, int n_classes,
                                   hst_err *err);
/* What the head is to tell, before anything else is set: thresholds are then 0.5, the intervals of
 * a number infinite. Errors: HST_EARG (a number has one name), HST_EMEM. */
HST_CHECK int hst_model_set_target(hst_model *m, enum hst_target target, hst_err *err);
/* "class", "labels", "number". */
extern const char *const hst_target_names[];
/* Tells the model which photos it has learned from, by their pixels (hst_picture); 0 and doubles
 * are left out. Errors: HST_EMEM. */
HST_CHECK int hst_model_set_seen(hst_model *m, const uint64_t *pixels, size_t n, hst_err *err);
/* Whether a photo with these pixels is one of them; 0: not, or not known. */
int hst_model_has_seen(const hst_model *m, uint64_t pixels);
/* Sets or replaces a line of the record. HST_EARG: not UTF-8. */
HST_CHECK int hst_model_set_record(hst_model *m, const char *key, const char *value, hst_err *err);
/* Sets content_sha256, once the head and the record are complete. */
HST_CHECK int hst_model_seal(hst_model *m, hst_err *err);

/* Of a plain model: what, beside its tensors, makes it one again when it is read from an export, as
 * a JSON object of texts, to be freed. The import helper makes facts of them, by the same names. */
HST_CHECK char *hst_model_facts(const hst_model *m, hst_err *err);
#define HST_MODEL_EXPORTED "1"
/* The model in a converted file that has these facts; its features are in float32. HST_EMODEL. */
HST_CHECK hst_model *hst_model_exported(hst_ctx *ctx, const hst_tensors *t, hst_err *err);

/* The extractor of a plain model: one backbone, borrowed, that sees a photo in one way; NULL: this
 * model is none. */
const hst_branch *hst_model_plain(const hst_model *m);

/* Of its features, all its backbones' alike. */
enum hst_precision hst_model_precision(const hst_model *m);

/* Puts hidden layers and a kernel and bias behind them in the place of the model's own; takes what
 * they point to, also on failure. HST_EMODEL: they do not fit one another, the features or the
 * labels. */
HST_CHECK int hst_model_set_layers(hst_model *m, const hst_hidden *hidden, int n_hidden,
                                   float *kernel, float *bias, hst_err *err);
/* With x the features, or what the hidden layers make of them, and z = x . kernel + bias, sums in
 * double in index order, prob[n_classes] is softmax(z); of labels 1 / (1 + exp(-z)) of each; of a
 * number z itself. */
void hst_model_head(const hst_model *m, const float *features, float *prob);
/* z of class c. */
double hst_model_logit(const hst_model *m, const float *features, int c);
/* What each feature of this photo is worth to class c: z = features . slope + what is left. Without
 * hidden layers that is a column of the kernel; with them act(y) = y (act(y) / y). slope[dim].
 * Errors: HST_EMEM. */
HST_CHECK int hst_model_slope(const hst_model *m, const float *features, int c, float *slope,
                              hst_err *err);
/* How far a photo, of which hst_model_head has made prob, is beyond what is known: above 0 it is
 * unknown. NaN: the model cannot tell (then w is not looked at). */
double hst_model_unknown(const hst_model *m, const float *features, const float *prob,
                         hst_unknown_work *w);
#endif
