/* webdataset.h - shards as a source of rows: tars in which the files of one sample have a name in
 * common up to its first dot (webdataset's format): 0001.jpg with 0001.cls, or with 0001.json. */
#ifndef HST_DATASET_WEBDATASET_H
#define HST_DATASET_WEBDATASET_H
#include "dataset/rows.h"

/* 1 where word stands for such shards: a tar that holds samples, a folder of tars and nothing else
 * (but texts), or "shard-{000..003}.tar". Errors of opening are left to hst_webdataset_read. */
int hst_webdataset_is(const hst_ctx *ctx, const char *word);

/* A sample's class is what its .cls says, a number or a name, or "label", "class" or "cls" of its
 * .json. Lines of classes.txt or labels.txt beside the shards are the names of the numbers; without
 * one a number is its own name, with zeros in front so that names are in order of number. A shard's
 * name, or its folder's, may say which part of the data it is: train-0001.tar, val/0001.tar. */
HST_CHECK int hst_webdataset_read(const hst_ctx *ctx, hst_rows *r, hst_err *err);
#endif
