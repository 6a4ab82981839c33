/* op_probe.c - a token that is learned and the same for every image; its attention to an image's
 * tokens pools them (Lee et al. 2019, arXiv 1810.00825). */
#include "nn/infer/unit.h"

#include <string.h>

static int probe_type(hst_node *n, const hst_type *in, hst_err *err)
{
    const int c = in->dim[in->n_dims - 1];
    (void)err;
    n->slot[n->n_slots++] = (hst_slot){"probe", 0, {1, c}, 2};
    n->type = hst_image_type((hst_shape){1, 1, c});
    return 0;
}

static double no_flops(const hst_node *n, const hst_shape *in)
{
    (void)n;
    (void)in;
    return 0;
}

/* y [c] */
static void infer(const hst_infer_unit *u, const hst_run_args *a)
{
    if (a->thread == 0)
        memcpy(a->y, u->param[0], (size_t)u->out.c * sizeof *a->y);
}

static void backward(const hst_op_args *a)
{
    for (int k = 0; a->dparam[0] && k < a->in[0].c; k++)
        a->dparam[0][k] += a->dy[k];
}

const hst_op hst_op_probe = {.name = "probe",
                             .n_inputs = 1,
                             .infer_type = probe_type,
                             .flops = no_flops,
                             .infer = infer,
                             .backward = backward};
