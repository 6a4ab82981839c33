/* labels.h - the names of classes that lie in a folder or archive beside a network. */
#ifndef CONVERT_LABELS_H
#define CONVERT_LABELS_H
#include "weights.h"

/* Says the facts "labels" and "labels_of", where a file of a usual name is anywhere in s, or in
 * "labels_refused" why it names no classes, and what follows from metadata of Teachable Machine. */
HST_CHECK int labels_say(weights *w, const hst_source *s, hst_err *err);
#endif
