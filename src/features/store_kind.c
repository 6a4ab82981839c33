/* store_kind.c - what the keys of the feature store are made of. */
#include "features/store.h"
#include "images/decode_protocol.h"
#include "images/decoders.h"
#include "kernels/kernels.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NUMERICS_VERSION = 2 }; /* raised when the same photo may give other bits than before */

/* Raised when networks with a sigmoid or swish may give other bits than before. */
enum { EXPONENTIAL_VERSION = 2 };

static int has_exponential(const hst_graph *g)
{
    hst_attr_value v;
    for (int i = 0; i < hst_graph_n_nodes(g); i++)
        if (strcmp(hst_graph_op_name(g, i), "activation") == 0 && hst_graph_attr(g, i, 0, &v) &&
            (strcmp(v.word, "sigmoid") == 0 || strcmp(v.word, "swish") == 0))
            return 1;
    return 0;
}

/* Over everything that a vector depends on but the photo itself. */
int hst_store_kind_of(const hst_ctx *ctx, const hst_backbone *b, const hst_prep *prep,
                      hst_store_kind *out, hst_err *err)
{
    char text[512], identity[65], size[HST_SIZE_TEXT];
    hst_store_kind kind = {.dim = (size_t)hst_plan_output(b->plan).c};
    const hst_pixel_norm *n = &prep->norm;
    snprintf(text, sizeof text, "%d|%s|%s|%a,%a,%a|%a,%a,%a|%s|%zu", NUMERICS_VERSION,
             hst_resampler_name(prep->resampler), hst_size_text(prep->size, size), n->mean[0],
             n->mean[1], n->mean[2], n->std[0], n->std[1], n->std[2], ctx->kernels->isa, kind.dim);
    hst_sha256 *h = hst_sha256_new(err);
    int rc = h ? hst_sha256_adds(h, text, err) : HST_EMEM;
    if (rc == 0 && (prep->interpolation != HST_BILINEAR || prep->geometry != HST_SQUASH)) {
        snprintf(text, sizeof text, "|%s|%s|%s|", hst_interpolation_name(prep->interpolation),
                 hst_geometry_name(prep->geometry), hst_size_text(prep->resize, size));
        rc = hst_sha256_adds(h, text, err);
    }
    if (rc == 0 && hst_plan_numerics(b->plan) > 0) {
        snprintf(text, sizeof text, "|numerics %d|", hst_plan_numerics(b->plan));
        rc = hst_sha256_adds(h, text, err);
    }
    if (rc == 0 && has_exponential(b->graph)) {
        snprintf(text, sizeof text, "|exponential %d|", EXPONENTIAL_VERSION);
        rc = hst_sha256_adds(h, text, err);
    }
    if (rc == 0 && prep->mirror)
        rc = hst_sha256_adds(h, "|mirror|", err);
    if (rc == 0 && b->ranges) { /* some products of such a plan are in bf16 */
        snprintf(text, sizeof text, "|%s|", ctx->kernels->products[HST_PRECISION_BF16]->name);
        rc = hst_sha256_adds(h, text, err);
        rc = rc ? rc
                : hst_sha256_add(h, b->ranges,
                                 (size_t)hst_graph_n_nodes(b->graph) * sizeof *b->ranges, err);
    }
    const hst_products *products = ctx->kernels->products[b->precision];
    if (rc == 0 && products) {
        snprintf(text, sizeof text, "|%s|%s|", hst_precision_names[b->precision], products->name);
        rc = hst_sha256_adds(h, text, err);
    }
    rc = rc ? rc : hst_backbone_identity_at(b, prep->size, identity, err);
    rc = rc ? rc : hst_sha256_adds(h, identity, err);
    rc = rc ? rc : hst_sha256_end(h, kind.prefix, err);
    hst_sha256_free(h);
    if (rc == 0)
        *out = kind;
    return rc;
}

int hst_store_kind_picture(const hst_prep *prep, hst_store_kind *out, hst_err *err)
{
    char text[64];
    hst_store_kind kind = {.dim = sizeof(hst_picture) / sizeof(float), .of_pictures = 1};
    snprintf(text, sizeof text, "picture|%d|%s|%d", HST_PICTURE_VERSION,
             hst_resampler_name(prep->resampler), hst_prep_least_px(prep));
    int rc = hst_sha256_bytes(text, strlen(text), kind.prefix, err);
    if (rc == 0)
        *out = kind;
    return rc;
}

int hst_store_photo_key(const hst_ctx *ctx, const hst_digest *content, enum hst_format format,
                        hst_digest *key)
{
    char library[HST_DECODE_VERSION_BYTES] = "", text[HST_SHA256_HEX + sizeof library + 1];
    hst_err unknown = {0}; /* decoding it will say why */
    *key = *content;
    if (!hst_format_is_by_helper(format))
        return 1;
    *key = (hst_digest){0};
    if (!ctx->decoders || hst_decoders_ask(ctx->decoders, format, NULL, library, &unknown))
        return 0;
    hst_hex(content->byte, text);
    snprintf(text + HST_SHA256_HEX - 1, sizeof text - HST_SHA256_HEX + 1, "|%s", library);
    return hst_sha256_bytes(text, strlen(text), key->byte, NULL) == 0;
}

int hst_store_kind_changed(const hst_store_kind *kind, enum hst_augment how,
                           const hst_augment_key *key, hst_store_kind *out, hst_err *err)
{
    char text[96];
    hst_store_kind changed = {.dim = kind->dim};
    snprintf(text, sizeof text, "|%s|%" PRIu64 "|%" PRIu32, hst_augment_names[how], key->seed,
             key->epoch);
    hst_sha256 *h = hst_sha256_new(err);
    int rc = h ? hst_sha256_add(h, kind->prefix, sizeof kind->prefix, err) : HST_EMEM;
    rc = rc ? rc : hst_sha256_adds(h, text, err);
    rc = rc ? rc : hst_sha256_end(h, changed.prefix, err);
    hst_sha256_free(h);
    if (rc == 0)
        *out = changed;
    return rc;
}
