/* decoders.h - the processes that decode photos of formats whose libraries are too large to be
 * trusted with foreign bytes in this one (decode/). Started when a photo needs one and kept for the
 * next; at most as many as threads decode at a time. Any number of threads may use it, also in a
 * child of fork(), which starts its own. */
#ifndef HST_IMAGES_DECODERS_H
#define HST_IMAGES_DECODERS_H
#include "images/decode.h"
#include "images/format.h"

/* The program's name, and its folder in a build, seen from another program's. */
#define HST_DECODE_HELPER   "headstart-decode"
#define HST_DECODE_IN_BUILD "../decode"

typedef struct hst_decoders hst_decoders;

/* program: path of headstart-decode. Starts nothing. NULL: HST_EMEM. */
HST_CHECK hst_decoders *hst_decoders_new(const char *program, hst_err *err);
/* Ends the processes; nobody may be decoding. NULL is fine. */
void hst_decoders_free(hst_decoders *d);

/* Decodes one photo, whose first bytes name the format. Errors: HST_EIMAGE (refused with the
 * program's reason, it died or took too long, it cannot be started), HST_EMEM. */
HST_CHECK int hst_decoders_decode(hst_decoders *d, enum hst_format format, const hst_encoded *in,
                                  hst_image *out, int *orientation, hst_err *err);

/* What the program says of itself; starts one where none was yet. sandbox: names of the parts that
 * hold, with a space between. library: the one that reads the format, with its version; "" for
 * none. Either may be NULL. Errors: HST_EPROC. */
HST_CHECK int hst_decoders_ask(hst_decoders *d, enum hst_format format, char sandbox[128],
                               char library[64], hst_err *err);

/* For tests: the process of a decoder that waits for a photo; 0: there is none. */
int hst_decoders_process(hst_decoders *d);
/* For tests: seconds that a photo may take by the clock, in place of WALL_LIMIT_S. */
void hst_decoders_limit(hst_decoders *d, int seconds);
#endif
