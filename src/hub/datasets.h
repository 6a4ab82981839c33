/* datasets.h - data sets by name or address; see hst_data_pull in headstart.h. */
#ifndef HST_HUB_DATASETS_H
#define HST_HUB_DATASETS_H
#include "base/context.h"

/* 1 when text can be the name of a data set: one of the table, or an address. */
int hst_datasets_is_name(const char *text);
/* 1 and the folder's path when the named data set was pulled into the store; nothing is fetched. */
int hst_datasets_here(const hst_ctx *ctx, const char *name, char *path, size_t cap);
#endif
