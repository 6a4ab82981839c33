/* target.c - what photos with several labels, or with a number, are not learned with. */
#include "training/recipe.h"

#include <string.h>

int hst_target_check(const hst_settings *s, const hst_data *d, hst_err *err)
{
    const struct {
        int asked;
        const char *what;
    } only[] = {
        {s->recipe != HST_RECIPE_AUTO, hst_recipe_names[s->recipe]},
        {s->class_weight && strcmp(s->class_weight, HST_CLASS_WEIGHT_NONE) != 0, "class-weight"},
        {s->prior && strcmp(s->prior, HST_PRIOR_AS_TRAINED) != 0, "prior"},
        {s->robust != HST_ROBUST_NONE, "robust"},
        {s->augmented > 0, "augmented"},
        {s->effort > 0 || s->time_s > 0, "effort"},
        {s->learning_curve, "learning-curve"}};
    for (size_t i = 0; d->target != HST_TARGET_CLASS && i < sizeof only / sizeof *only; i++)
        if (only[i].asked)
            return hst_fail(err, HST_EARG,
                            "%s%s is for photos of one class each; these have %s: leave it out",
                            i == 0 ? "recipe " : "", only[i].what,
                            d->target == HST_TARGET_LABELS ? "several labels" : "a number");
    return 0;
}
