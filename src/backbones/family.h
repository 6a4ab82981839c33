/* family.h - what a family of networks is, and how those who publish such networks write them.
 *
 * Families that are built alike (cnn.h: those of convolutions) share a kind: its functions, the
 * part of hst_arch that it owns, and what own of a family and of a dialect point to. */
#ifndef HST_BACKBONES_FAMILY_H
#define HST_BACKBONES_FAMILY_H
#include "backbones/arch.h"
#include "backbones/params.h"

typedef struct hst_family hst_family;

struct json_t; /* jansson.h */
struct hst_sha256;

/* How a program that publishes such networks names their tensors, and what it takes for granted. */
typedef struct hst_dialect {
    const char *name;   /* "Hugging Face" */
    const char *marker; /* a tensor of every such file, behind a prefix that is empty or ends in
                           a dot or slash ("mobilenet_v2.", "module.") */
    const char *const *body; /* NULL-ended: tensors whose name goes on so belong to the network and
                                must all be known; others (classifier, optimiser) are ignored */
    hst_pixel_norm norm;
    const void *own; /* of the kind */
    /* Takes what it knows of config.json into *a; NULL: there is none. needs_config: the tensors
     * alone do not say enough. */
    int (*config)(const struct json_t *root, hst_arch *a, hst_err *err);
    int needs_config;
    /* HST_EMODEL: the name of the file is that of a network that computes something else with such
     * tensors; NULL: there is none. */
    int (*named)(const char *file, hst_err *err);
    const char *licence; /* of the weights that have such names; NULL: that is not known */
} hst_dialect;

/* A file of tensors as one of a dialect. */
typedef struct hst_origin {
    const hst_family *family;
    const hst_dialect *dialect;
    char prefix[HST_MAX_TENSOR_NAME]; /* in front of every tensor's name */
    int fits;                         /* 0: it is the nearest, but some tensors have other shapes */
} hst_origin;

typedef struct hst_kind {
    /* The arch's own fields: as a dialect takes them for granted; checked; from and to the object
     * that the model file has (write: -1 without memory); into a backbone's identity; as the public
     * interface shows them; from the facts of a converted file (facts.h). */
    void (*usual)(const hst_origin *o, hst_arch *a);
    int (*check)(const hst_arch *a, hst_err *err);
    int (*parse)(const struct json_t *o, hst_arch *a, hst_err *err);
    int (*write)(const hst_arch *a, struct json_t *o);
    int (*hash)(const hst_arch *a, struct hst_sha256 *h, hst_err *err);
    void (*describe)(const hst_arch *a, hst_backbone_info *info);
    int (*facts)(const hst_tensors *t, hst_arch *a, hst_err *err);
    /* Corrects what of *a the tensors' shapes tell; which part, 0 to 1, of its kernels is then
     * still missing or of another shape. HST_EMEM: negative. */
    double (*fit)(const hst_tensors *t, const hst_origin *o, hst_arch *a, hst_err *err);
    /* Adds all nodes; a negative code on failure. */
    int (*build)(hst_graph *g, const hst_arch *a, hst_err *err);
    /* Lists where each parameter of that graph is in the file; t NULL: in one that is to be written
     * (named.h), which has all tensors of the dialect. */
    int (*map)(const hst_arch *a, const hst_origin *o, const hst_tensors *t, hst_param_maps *out,
               hst_err *err);
    /* Has the features be what `pool` says ("cls", "mean", ...). HST_EARG: it cannot. */
    int (*pool)(hst_arch *a, const char *pool, hst_err *err);
    /* Fills `to`, a parameter of a network like `from`'s but for the size of its input, where it is
     * another for that. HST_EMEM. NULL: none is. */
    int (*carry)(const hst_arch *from, const hst_param *x, const hst_arch *to, const hst_param *y,
                 hst_err *err);
} hst_kind;

struct hst_family {
    const char *name;
    int px; /* usual input height and width */
    const hst_kind *kind;
    const void *own; /* of the kind */
    const hst_dialect *dialects;
    size_t n_dialects;
};
/* The i-th family; NULL past the end. */
const hst_family *hst_family_at(size_t i);
const hst_family *hst_family_find(const char *name); /* NULL: none of that name */
#endif
