/* ranks_load_none.c - a program of one file loads no plug-in. */
#include "base/ranks.h"

hst_ranks *hst_ranks_load(const char *path, const hst_ranks_job *job, hst_err *err)
{
    (void)path;
    hst_fail(err, HST_EUNSUP,
             "%d processes were started to share the work, which this build cannot: it was linked "
             "statically",
             job->size);
    return NULL;
}
