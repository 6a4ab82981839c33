#include "training/class_list.h"

#include <stdio.h>
#include <string.h>

enum { NAMED = 5 };

void hst_class_list_add(hst_class_list *l, const char *name)
{
    const size_t at = strlen(l->names);
    if (l->n <= NAMED)
        snprintf(l->names + at, sizeof l->names - at, "%s%.60s", l->n ? ", " : "",
                 l->n < NAMED ? name : "...");
    l->n++;
}

void hst_class_list_warn(const hst_class_list *l, const hst_ctx *ctx, const char *one,
                         const char *many)
{
    if (l->n == 1)
        hst_log(ctx, HST_LOG_WARN, "class %s %s: the accuracy says nothing about it", l->names,
                one);
    else if (l->n)
        hst_log(ctx, HST_LOG_WARN, "%zu classes %s (%s): the accuracy says nothing about them",
                l->n, many, l->names);
}
