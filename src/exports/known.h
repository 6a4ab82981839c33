/* known.h - a model's network as Python's libraries have it: which of their networks it is, what
 * that has to be told, and all tensors by its names, the head in the place of its classifier. */
#ifndef HST_EXPORTS_KNOWN_H
#define HST_EXPORTS_KNOWN_H
#include "backbones/named.h"
#include "exports/export.h"

#include <jansson.h>

/* What stands in front of the classifier. */
enum hst_known_features {
    HST_KNOWN_SAME,   /* the model's features */
    HST_KNOWN_CLS,    /* of two halves they are the first; */
    HST_KNOWN_MEAN,   /* the second */
    HST_KNOWN_SHIFTED /* a convolution and hard swish more, which then do nothing but add a number:
                         hard swish is the identity from 3 on */
};

typedef struct hst_known {
    const char *library;       /* "timm" */
    char architecture[64];     /* "mobilenetv2_100" */
    const char *dialect;       /* of its names (backbones/named.h) */
    const char *prefix, *head; /* "mobilenet_v2."; "classifier": in front of ".weight" */
    enum hst_known_features features;
    int convolves;     /* 1: its classifier is a convolution, of one pixel */
    int wide;          /* HST_KNOWN_SHIFTED: so many features has its classifier */
    double epsilon;    /* of its batch norms, where it has none but this; 0: it is told */
    int pads_as_tf;    /* 1: its strided convolutions have to be made to */
    json_t *args;      /* what it is told */
    json_t *processor; /* of transformers: how a photo is prepared; NULL: its config says it */
} hst_known;

/* 1: its positions are a table and its blocks are not gated, which is all that is told here. */
int hst_known_vit_is_plain(const hst_arch *a);

/* The dialect of such a family's names: torchvision's and timm's are the same for some; else the
 * library's own. */
const char *hst_known_torch_dialect(const hst_arch *a, const char *library);

/* The model's network in that library. Ended by hst_known_end, also after a failure. HST_EUNSUP: it
 * has no such network. */
HST_CHECK int hst_known_torchvision(const hst_model *m, hst_known *k, hst_err *err);
HST_CHECK int hst_known_timm(const hst_model *m, hst_known *k, hst_err *err);
/* In transformers; where that has none, timm's, which transformers wraps. */
HST_CHECK int hst_known_transformers(const hst_model *m, hst_known *k, hst_err *err);
void hst_known_end(hst_known *k);

/* All its tensors, ended by hst_named_free, also after a failure. */
HST_CHECK int hst_known_tensors(const hst_known *k, const hst_model *m, hst_named *out,
                                hst_err *err);
/* The head out of tensors as those are: kernel[dim][classes] and bias[classes] as m's. HST_EMODEL.
 */
HST_CHECK int hst_known_head(const hst_known *k, const hst_tensors *t, const hst_model *m,
                             float *kernel, float *bias, hst_err *err);

/* Mean and deviation of pixels in 0..1, as lists; NULL without memory. */
json_t *hst_known_mean(const hst_model *m);
json_t *hst_known_std(const hst_model *m);
/* "single_label_classification", ...: what transformers calls what the head tells. */
const char *hst_known_problem(const hst_model *m);
/* Of a model of several labels: from which probability on a photo has each, as "thresholds". Not 0:
 * no memory. */
HST_CHECK int hst_known_say_thresholds(const hst_model *m, json_t *config);
/* config.json of a timm network, which transformers reads too. */
json_t *hst_known_timm_config(const hst_known *k, const hst_model *m);
/* model.safetensors in the folder x->path. */
HST_CHECK int hst_known_write(const hst_known *k, const hst_exporting *x, hst_err *err);
/* A file of the folder x->path; ends o, which may be NULL (HST_EMEM). */
HST_CHECK int hst_known_write_json(const hst_exporting *x, const char *file, json_t *o,
                                   hst_err *err);
/* README.md there: front matter, the model card, how to load it, how photos are prepared. */
HST_CHECK int hst_known_write_card(const hst_exporting *x, const hst_known *k, const char *tags,
                                   const char *code, hst_err *err);

/* hst_exporter.ask of a folder for a library, in which `find` finds the network: opened as
 * anybody's backbone would be, the head out of its tensors. */
typedef int hst_known_find(const hst_model *m, hst_known *k, hst_err *err);
HST_CHECK int hst_known_ask(hst_known_find *find, const hst_exporting *x, hst_probes *p,
                            char how[96], hst_err *err);
/* The same of tensors whose file does not say what they are of: as the model's own network. */
HST_CHECK int hst_known_ask_tensors(const hst_known *k, const hst_exporting *x,
                                    const hst_tensors *t, hst_probes *p, hst_err *err);
#endif
