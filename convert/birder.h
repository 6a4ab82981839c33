/* birder.h - what birder's .pt files say beside their tensors, as the facts that its safetensors
 * have as metadata (src/backbones/birder.c lists them). */
#ifndef CONVERT_BIRDER_H
#define CONVERT_BIRDER_H
#include "pickle.h"
#include "weights.h"

/* The dictionary of tensors of such a file; NULL: it is none. */
const pickle_node *birder_state(const pickle *p);
HST_CHECK int birder_say(weights *w, const pickle *p, hst_err *err);
#endif
