#include "base/ranks.h"

#include <dlfcn.h>

/* RTLD_GLOBAL: an MPI loads further parts of itself, which look for it there. It stays loaded, as
 * MPI cannot be begun twice. */
hst_ranks *hst_ranks_load(const char *path, const hst_ranks_job *job, hst_err *err)
{
    hst_ranks *r = NULL;
    void *part = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    void *entry = part ? dlsym(part, HST_RANKS_ENTRY) : NULL;
    if (entry) {
        hst_ranks_open_fn *open;
        *(void **)&open = entry;
        r = open(job, err);
        if (!r)
            hst_err_at(err, path);
        return r;
    }
    const char *why = dlerror();
    hst_fail(err, HST_EUNSUP,
             "%d processes were started to share the work, but what connects them is not here "
             "(%s): install headstart-mpi and Open MPI, or build headstart where Open MPI or MPICH "
             "is",
             job->size, why ? why : path);
    return NULL;
}
