/* import.c - the tensors of a foreign file -> a graph's parameters, and none left over. */
#include "backbones/recognise.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* 1 when a tensor lies inside the network, by its name, and is no training counter nor a mask of
 * what is zero. */
static int in_body(const hst_origin *o, const char *name)
{
    size_t np = strlen(o->prefix);
    if (strncmp(name, o->prefix, np) != 0 || strstr(name, ".num_batches_tracked") ||
        strstr(name, ".bias_mask"))
        return 0;
    for (const char *const *b = o->dialect->body; *b; b++)
        if (strncmp(name + np, *b, strlen(*b)) == 0)
            return 1;
    return 0;
}

/* A tensor more (a bias, squeeze-and-excitation) means another network that would only seem to run.
 */
static int check_superfluous(const hst_tensors *t, const hst_origin *o, const char *used,
                             hst_err *err)
{
    for (size_t i = 0; i < hst_tensors_count(t); i++)
        if (!used[i] && in_body(o, hst_tensors_at(t, i)->name))
            return hst_fail(err, HST_EMODEL, "tensor '%s' is not part of %s",
                            hst_tensors_at(t, i)->name, o->family->name);
    return 0;
}

int hst_weights_import(const hst_tensors *t, const hst_origin *o, const hst_arch *a,
                       const hst_graph *g, hst_err *err)
{
    hst_param_maps l = {0};
    char *used = hst_alloc(hst_tensors_count(t) + 1, 1, err);
    int rc = used ? o->family->kind->map(a, o, t, &l, err) : HST_EMEM;
    rc = rc ? rc : hst_params_import(t, &l, g, used, err);
    rc = rc ? rc : check_superfluous(t, o, used, err);
    hst_param_maps_free(&l);
    free(used);
    return rc;
}
