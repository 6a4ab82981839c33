/* others.c - what lies in the folder and was not taken at the scan. */
#include "inspection/look.h"

#include <stdlib.h>

static enum hst_kind kind_of(enum hst_left why)
{
    switch (why) {
    case HST_LEFT_FORMAT:
    case HST_LEFT_KERAS:
        return HST_KIND_UNREAD_PICTURES;
    case HST_LEFT_OUTSIDE:
        return HST_KIND_LOOSE;
    case HST_LEFT_FOLDER:
    case HST_LEFT_UNREAD:
        return HST_KIND_UNREAD_FOLDER;
    case HST_LEFT_CLASS:
        return HST_KIND_EMPTY_CLASS;
    case HST_LEFT_MISSING:
    case HST_LEFT_LABEL:
    case HST_LEFT_UNLISTED:
        return HST_KIND_LIST;
    default:
        return HST_KIND_OTHER_FILES;
    }
}

/* A finding for a whole group: files that are alike in what they are. */
static int add_group(const hst_data *d, size_t g, hst_inspection *r, hst_err *err)
{
    const hst_left_group *group = &d->left.group[g];
    size_t n = 0;
    const char **paths = hst_alloc(group->n, sizeof *paths, err);
    if (!paths)
        return HST_EMEM;
    for (size_t i = 0; i < d->left.n; i++)
        if (d->left.file[i].group == g)
            paths[n++] = d->left.file[i].path;
    int rc = hst_inspection_add(r, &(hst_find){kind_of(group->why), (double)n, paths, n}, err, "%s",
                                *group->what ? group->what : group->reason);
    free(paths);
    return rc;
}

int hst_look_at_others(const hst_inspected *in, hst_inspection *r, hst_err *err)
{
    int rc = 0;
    for (size_t g = 0; rc == 0 && g < in->data->left.n_groups; g++)
        rc = add_group(in->data, g, r, err);
    return rc;
}
