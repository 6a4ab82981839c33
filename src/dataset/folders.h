/* folders.h - class folders as a source of rows. */
#ifndef HST_DATASET_FOLDERS_H
#define HST_DATASET_FOLDERS_H
#include "dataset/rows.h"
#include "dataset/tree.h"

/* The folder r->data->dir, with that of o->val_dir for validation where it is given. */
HST_CHECK int hst_folders_read(const hst_ctx *ctx, hst_rows *r, hst_err *err);
/* The same from a tree that is there: of an archive. */
HST_CHECK int hst_folders_read_tree(const hst_ctx *ctx, hst_rows *r, hst_tree *tree, hst_err *err);
#endif
