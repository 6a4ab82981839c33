/* shards.h - which tar files a word stands for. */
#ifndef HST_DATASET_SHARDS_H
#define HST_DATASET_SHARDS_H
#include "base/mem.h"

typedef struct hst_shards {
    hst_arena *arena; /* of the paths */
    const char **path;
    size_t n, cap;
    size_t before; /* bytes of the folder and its '/' that all paths begin with */
} hst_shards;

/* "dir/shard-{000..003}.tar": 1, with every one of them where s is not NULL; 0: no such pattern.
 * Errors: HST_EDATA (too many), HST_EMEM. */
HST_CHECK int hst_shards_of_pattern(const char *word, hst_shards *s, hst_err *err);
/* A folder, and folders in it, with tars and no other files but texts: 1 likewise, paths in byte
 * order. */
HST_CHECK int hst_shards_of_folder(const char *dir, hst_shards *s, hst_err *err);
/* One that is known. */
HST_CHECK int hst_shards_add(hst_shards *s, const char *path, hst_err *err);
void hst_shards_clear(hst_shards *s); /* the arena stays */
#endif
