/* exported.c - a model in a file of another format, that headstart has written: its network as the
 * import helper reads it, its head beside that, and the rest from the facts of hst_model_facts. */
#include "model/load.h"

#include <math.h>
#include <string.h>

static int add_exported(hst_extractor *e, hst_ctx *ctx, const hst_tensors *t, const json_t *source,
                        hst_err *err)
{
    hst_arch arch;
    const char *text = hst_read_meta(t, "arch", err);
    int rc = text ? hst_arch_parse(text, &arch, err) : HST_EMODEL;
    hst_backbone *b = rc ? NULL : hst_backbone_exported(ctx, &arch, t, err);
    rc = b ? hst_extractor_add_branch(e, b, err) : HST_EMODEL;
    if (rc == 0)
        e->branch[0].owned = b;
    else
        hst_backbone_free(b);
    return rc ? rc : hst_read_source(source, b, err);
}

static hst_extractor *exported_extractor(hst_ctx *ctx, const hst_tensors *t, hst_err *err)
{
    hst_prep prep;
    const char *prepare = hst_read_meta(t, "prepare", err),
               *source = prepare ? hst_read_meta(t, "source", err) : NULL;
    json_t *p = source ? hst_json_object(prepare, "prepare", err) : NULL;
    json_t *o = p ? hst_json_object(source, "source", err) : NULL;
    hst_extractor *e = o ? hst_extractor_new(err) : NULL;
    int rc = e ? hst_read_prepare(p, &prep, err) : HST_EMODEL;
    rc = rc ? rc : add_exported(e, ctx, t, o, err);
    rc = rc ? rc : hst_read_check_size(prep.size, e->branch[0].backbone->arch.size, err);
    rc = rc ? rc : hst_extractor_add_view(e, ctx, &prep, err);
    json_decref(p);
    json_decref(o);
    if (rc == 0)
        return e;
    hst_extractor_free(e);
    return NULL;
}

/* The i-th number of a list; null stands for what lies beyond all. */
static double number_at(const json_t *list, size_t i, double otherwise)
{
    const json_t *v = json_array_get(list, i);
    return json_is_number(v) ? json_number_value(v) : otherwise;
}

/* Thresholds, or range and ends of a number: in order. */
static int read_head_numbers(hst_model *m, const json_t *list, hst_err *err)
{
    hst_number *n = &m->number;
    int fits = m->target == HST_TARGET_CLASS;
    if (m->threshold) {
        fits = json_array_size(list) == (size_t)m->n_classes;
        for (int c = 0; fits && c < m->n_classes; c++) {
            m->threshold[c] = (float)number_at(list, (size_t)c, -1);
            fits = m->threshold[c] >= 0 && m->threshold[c] <= 1;
        }
    } else if (m->target == HST_TARGET_NUMBER) {
        n->least = number_at(list, 0, 0);
        n->most = number_at(list, 1, 0);
        fits = n->least <= n->most;
        for (size_t i = 0; i < HST_NUMBER_ENDS; i++) {
            n->ends[i] = number_at(list, 2 + i, i < 2 ? -INFINITY : INFINITY);
            fits = fits && (i == 0 || n->ends[i - 1] <= n->ends[i]);
        }
    }
    return fits ? 0 : hst_fail(err, HST_EMODEL, "what is exported of the head makes no sense");
}

static int exported_target(const hst_tensors *t, hst_model *m, hst_err *err)
{
    const char *name = hst_read_meta(t, "target", err);
    const char *text = name ? hst_read_meta(t, "head", err) : NULL;
    int target = 0, rc = text ? 0 : HST_EMODEL;
    while (rc == 0 && target <= HST_TARGET_NUMBER && strcmp(hst_target_names[target], name) != 0)
        target++;
    if (rc == 0 &&
        (target > HST_TARGET_NUMBER || (target == HST_TARGET_NUMBER && m->n_classes != 1)))
        rc = hst_fail(err, HST_EMODEL, "the exported model does not say what it tells");
    rc = rc ? rc : hst_model_set_target(m, (enum hst_target)target, err);
    json_t *list = rc ? NULL : hst_json_list(text, "head", err);
    if (rc == 0)
        rc = list ? read_head_numbers(m, list, err) : HST_EMODEL;
    json_decref(list);
    return rc;
}

hst_model *hst_model_exported(hst_ctx *ctx, const hst_tensors *t, hst_err *err)
{
    const char *version = hst_tensors_meta(t, "exported");
    if (!version || strcmp(version, HST_MODEL_EXPORTED) != 0) {
        hst_fail(err, HST_EMODEL, "not a model that headstart has exported");
        return NULL;
    }
    hst_extractor *e = exported_extractor(ctx, t, err);
    hst_model *m = e ? hst_read_shell(t, e, err) : NULL;
    int rc = m ? exported_target(t, m, err) : HST_EMODEL;
    const int64_t dim[2] = {m ? m->dim : 0, m ? m->n_classes : 0};
    rc = rc ? rc : hst_read_head(t, "head/kernel", 2, dim, m->kernel, err);
    rc = rc ? rc : hst_read_head(t, "head/bias", 1, dim + 1, m->bias, err);
    rc = rc ? rc : hst_read_record(t, m, err);
    if (rc == 0)
        return m;
    hst_model_free(m);
    return NULL;
}
