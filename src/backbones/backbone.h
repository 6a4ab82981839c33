/* backbone.h - a pretrained network without its head: graph, weights, preparation, identity. */
#ifndef HST_BACKBONES_BACKBONE_H
#define HST_BACKBONES_BACKBONE_H
#include "backbones/arch.h"
#include "backbones/views.h"
#include "base/context.h"
#include "formats/safetensors.h"
#include "nn/plan.h"

struct json_t; /* jansson.h */

struct hst_backbone {
    hst_arch arch;
    hst_graph *graph;             /* finished, weights filled */
    enum hst_precision precision; /* of its features */
    hst_range *ranges;            /* [nodes] of int8; NULL: not known, the plan is in float32 */
    hst_plan *plan;               /* for the context's kernels */
    char source[256];             /* base name of the file it came from */
    char sha256[65];              /* of that file */
    char format[64], producer[64];
    const char *licence;    /* of the weights; NULL: not known */
    hst_backbone_info info; /* its texts are those above, or constants */
    hst_views views;
    hst_backbone *beside; /* the next of several that were opened side by side, owned; or NULL */
};
enum { HST_MAX_BESIDE = 8 };

/* Says under which licence its weights are: NULL: what its arch says. */
void hst_backbone_set_licence(hst_backbone *b, const char *known);
/* Into *a what a model file's "source" says of it. HST_EMODEL: no text. */
HST_CHECK int hst_backbone_read_licence(const struct json_t *source, hst_arch *a, hst_err *err);

/* SHA-256 over arch and parameter values: the same weights by any route are the same. hex[65].
 * _at: of the network for photos of that size. */
HST_CHECK int hst_backbone_identity(const hst_backbone *b, char hex[65], hst_err *err);
HST_CHECK int hst_backbone_identity_at(const hst_backbone *b, hst_size size, char hex[65],
                                       hst_err *err);

/* The network for photos of that size, ready to run, with the weights of g (b's own, or others of
 * the same shapes). Errors: HST_EMODEL (it cannot be that small or large), HST_EMEM. */
HST_CHECK hst_plan *hst_backbone_plan_at(const hst_ctx *ctx, const hst_backbone *b,
                                         const hst_graph *g, hst_size size, hst_err *err);
/* The same as options say, but for precision and ranges, which are b's; nodes have the same numbers
 * at every size. */
HST_CHECK hst_plan *hst_backbone_plan_with(const hst_ctx *ctx, const hst_backbone *b,
                                           const hst_graph *g, hst_size size,
                                           const hst_plan_options *o, hst_err *err);

/* The precision that a model file's features are of. HST_EMODEL: one that is not known here. */
HST_CHECK int hst_backbone_precision(const hst_tensors *model, enum hst_precision *out,
                                     hst_err *err);

/* Plans b, of precision int8, anew with the ranges that its products read, [nodes]; they are
 * copied. Errors: HST_EMEM; HST_EMODEL: a weight is not finite. */
HST_CHECK int hst_backbone_set_ranges(const hst_ctx *ctx, hst_backbone *b, const hst_range *ranges,
                                      hst_err *err);
/* Reads them from tensors as hst_backbone_range_name has them; nothing where there are none. */
HST_CHECK int hst_backbone_read_ranges(const hst_ctx *ctx, hst_backbone *b, const hst_tensors *t,
                                       const char *prefix, hst_err *err);
/* The name of the range of node i, "Conv1/input_range"; 0: it has none. */
enum { HST_RANGE_NAME = 96 };
int hst_backbone_range_name(const hst_backbone *b, int i, char name[HST_RANGE_NAME]);

/* A backbone from arch and the tensors of a model file, named as hst_graph_param() names them with
 * `prefix` in front. HST_EMODEL: a tensor is missing, has another shape, or is not finite. */
HST_CHECK hst_backbone *hst_backbone_from_tensors(hst_ctx *ctx, const hst_arch *a,
                                                  const hst_tensors *t, const char *prefix,
                                                  enum hst_precision precision, hst_err *err);
/* A backbone of arch with the weights of a converted file, whatever it calls them; its graph, where
 * it tells one, must be arch's. HST_EMODEL. */
HST_CHECK hst_backbone *hst_backbone_exported(const hst_ctx *ctx, const hst_arch *a,
                                              const hst_tensors *t, hst_err *err);
struct hst_weight_file; /* hub/converted.h */
/* The backbone in a file that was found, of whose tensors t the numbers are dropped. Errors: as
 * hst_backbone_open_with. */
HST_CHECK hst_backbone *hst_backbone_of_file(hst_ctx *ctx, const struct hst_weight_file *f,
                                             hst_tensors *t, const hst_backbone_opts *o,
                                             hst_err *err);
/* b in another precision, and what is beside it; in int8 without ranges. Errors: HST_EMEM. */
HST_CHECK hst_backbone *hst_backbone_in(const hst_ctx *ctx, const hst_backbone *b,
                                        enum hst_precision precision, hst_err *err);
/* b with other weights: g is of b's arch and is taken, also on failure. Errors: HST_EMEM;
 * HST_EMODEL: weights that are no finite numbers. */
HST_CHECK hst_backbone *hst_backbone_tuned(const hst_ctx *ctx, const hst_backbone *b, hst_graph *g,
                                           hst_err *err);
#endif
