/* recognise.h - from a foreign file to the network that it holds. */
#ifndef HST_BACKBONES_RECOGNISE_H
#define HST_BACKBONES_RECOGNISE_H
#include "backbones/family.h"

/* The family and dialect of a foreign file and, in *a, its defaults. HST_EMODEL: none we know. */
HST_CHECK int hst_recognise(const hst_tensors *t, hst_origin *o, hst_arch *a, hst_err *err);

/* The dialect of a file that holds a network of arch a: its names, shapes and, where it tells them,
 * operators. HST_EMODEL: it does not. */
HST_CHECK int hst_recognise_as(const hst_tensors *t, const hst_arch *a, hst_origin *o,
                               hst_err *err);

/* Reads config.json and, where it lies in the same folder, preprocessor_config.json (path: of the
 * first) into *a. HST_EMODEL: not JSON, a number out of bounds, a variant we do not build.
 * (config.c) */
HST_CHECK int hst_config_read(const char *path, const hst_origin *o, hst_arch *a, hst_err *err);

/* The same of timm's config.json as a file itself has it, the fact "timm_config". */
HST_CHECK int hst_config_said(const char *text, const hst_origin *o, hst_arch *a, hst_err *err);

/* Fills g's parameters. HST_EMODEL: a tensor is missing, superfluous, has another shape, or is not
 * finite. (import.c) */
HST_CHECK int hst_weights_import(const hst_tensors *t, const hst_origin *o, const hst_arch *a,
                                 const hst_graph *g, hst_err *err);
#endif
