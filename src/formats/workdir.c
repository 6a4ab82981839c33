#include "formats/workdir.h"
#include "base/mem.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *hst_workdir_begin(const char *beside, hst_err *err)
{
    static const char ending[] = ".XXXXXX";
    size_t n = strlen(beside);
    char *dir = hst_alloc(n + sizeof ending, 1, err);
    if (!dir)
        return NULL;
    memcpy(dir, beside, n);
    memcpy(dir + n, ending, sizeof ending);
    if (mkdtemp(dir))
        return dir;
    hst_fail_errno(err, HST_EIO, errno, "a folder beside %s cannot be made", beside);
    free(dir);
    return NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    remove(path);
    return 0; /* the rest is removed all the same */
}

void hst_workdir_end(char *dir)
{
    enum { OPEN_FOLDERS = 8 };
    if (dir && rmdir(dir) != 0) /* an empty one goes without memory, which the walk needs */
        nftw(dir, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
    free(dir);
}
