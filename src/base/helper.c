#include "base/file.h"
#include "base/mem.h"
#include "base/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The file in folder/place, without "..", to be freed; NULL where there is none. */
static char *helper_at(const char *folder, const char *place, const char *name)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s/%s", folder, place, name);
    char *found = n < (int)sizeof path ? realpath(path, NULL) : NULL;
    if (found && hst_is_file(found))
        return found;
    free(found);
    return NULL;
}

char *hst_helper_find(const char *name, const char *in_build, hst_err *err)
{
    /* seen from the folder of the library, or of a program that has it inside: beside it, in a
     * build, and in an installation */
    const char *const places[] = {".", in_build, HST_HELPERS_FROM_LIBRARY,
                                  HST_HELPERS_FROM_PROGRAM};
    char *own = hst_own_file(), *found = NULL;
    char *end = own ? strrchr(own, '/') : NULL;
    if (end)
        *end = 0;
    for (size_t i = 0; end && !found && i < sizeof places / sizeof *places; i++)
        found = helper_at(own, places[i], name);
    free(own);
    return found ? found : hst_path_join(HST_HELPERS, name, err);
}
