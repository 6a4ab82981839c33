/* formats.h - the table of formats: what a source is told by, and who reads it. */
#ifndef CONVERT_FORMATS_H
#define CONVERT_FORMATS_H
#include "weights.h"

/* Finds the format of a file by its first bytes, of a folder by the file it must have, and reads
 * it. An archive (.zip, .tar.gz) is unpacked in memory and then taken for the folder it holds. */
HST_CHECK int formats_read(weights *w, hst_source *s, hst_err *err);
#endif
