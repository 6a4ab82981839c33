/* probed.h - files whose graph was not compared operator by operator, but computed on a made-up
 * picture by the import helper (formats/probe.h): the network that their tensors make here must
 * compute the same. */
#ifndef HST_BACKBONES_PROBED_H
#define HST_BACKBONES_PROBED_H
#include "backbones/recognise.h"
#include "base/context.h"

/* 1: the tensors of a file that headstart has exported have our names, and a network of arch a is
 * read by them. */
int hst_probed_has_names(const hst_tensors *t, const hst_arch *a);

/* Compares the network of the file's tensors, of arch *a, in one of its poolings, with what the
 * file's graph made of the picture, where it was asked. o: NULL where the names are ours.
 * HST_EMODEL: it is another. */
HST_CHECK int hst_probed_check(const hst_ctx *ctx, const hst_tensors *t, const hst_origin *o,
                               const hst_arch *a, hst_err *err);

/* *pool: which pooling of the network makes what the file's classifier reads, where its graph was
 * computed; else it is left alone. HST_EMODEL: none does. */
HST_CHECK int hst_probed_pool(const hst_ctx *ctx, const hst_tensors *t, const hst_origin *o,
                              const hst_arch *a, const char **pool, hst_err *err);

/* Fills g's parameters from the tensors of an exported file: our names; norms that were drawn into
 * the weights before them become such that change nothing. (exported.c) */
HST_CHECK int hst_exported_read(const hst_tensors *t, const hst_graph *g, hst_err *err);
/* The same of Keras' files, where norms stay. (exported_keras.c) */
HST_CHECK int hst_exported_read_keras(const hst_tensors *t, const hst_graph *g, hst_err *err);
#endif
