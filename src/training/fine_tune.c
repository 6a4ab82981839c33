/* fine_tune.c - two phases: the head alone, as recipe auto trains it, on features computed once;
 * then backbone and head together, at a low rate that rises and falls in one cycle (Kumar et al.
 * 2022, arXiv 2202.10054, on why the head comes first). */
#include "training/prior.h"
#include "training/tune.h"

static int fit(hst_fit *f, hst_err *err)
{
    static const hst_tuning tuning = {.start = hst_fit_logistic, .refit = 1, .first_phase = 1};
    int rc = hst_tune(f, &tuning, err);
    return rc ? rc : hst_prior_apply(f, &f->train, err);
}

const hst_recipe hst_recipe_fine_tune = {.fit = fit};
