/* decoder_process.h - one running headstart-decode. */
#ifndef HST_IMAGES_DECODER_PROCESS_H
#define HST_IMAGES_DECODER_PROCESS_H
#include "images/decode.h"
#include "images/decode_protocol.h"

#include <sys/types.h>

typedef struct hst_decoder {
    pid_t pid;
    int socket, bytes, pixels; /* our end; the memories */
    uint8_t *to;               /* the memory for bytes, mapped; NULL: it is not */
    const uint8_t *from;       /* the same of that for pixels */
    uint64_t max_pixels;       /* of a photo, for this process */
    uint64_t touched;          /* the most bytes that a photo had, of those written so far */
    hst_decode_hello hello;
    struct hst_decoder *next; /* of the pool's */
    int busy;                 /* lent to a thread */
} hst_decoder;

/* Starts one for photos of at most max_pixels. *lasting is set to 1 where the next try would fail
 * as well. Errors: HST_EPROC, HST_EMEM. */
HST_CHECK int hst_decoder_start(const char *program, uint64_t max_pixels, hst_decoder **out,
                                int *lasting, hst_err *err);

enum hst_decoder_result {
    HST_DECODER_DONE,
    HST_DECODER_REFUSED,   /* the photo: *err says why */
    HST_DECODER_NO_MEMORY, /* in this process */
    HST_DECODER_TOO_LARGE, /* a->w and a->h say for how much */
    HST_DECODER_DIED,      /* it is of no more use; hst_decoder_end says why */
    HST_DECODER_LATE,      /* the same: it was still at it after limit_s by the clock */
    HST_DECODER_LIED       /* the same: it said what cannot be */
};
/* Has it decode a photo. *out and *a are filled where it is DONE. */
enum hst_decoder_result hst_decoder_ask(hst_decoder *p, enum hst_format format,
                                        const hst_encoded *in, int limit_s, hst_image *out,
                                        hst_decode_answer *a, hst_err *err);

/* Ends it and frees p. Returns the signal that had ended it before, -1 - its exit status where it
 * had ended by itself, 0 else. */
int hst_decoder_end(hst_decoder *p);
/* Frees p in a child of fork(), to which the process does not belong. */
void hst_decoder_forget(hst_decoder *p);
#endif
