/* decode_protocol.h - what this library and the program headstart-decode (decode/) say to each
 * other.
 *
 * The library starts the program with three descriptors: a socket for the messages below, memory
 * that the bytes of a photo are written to, and memory that its pixels are read from. Both memories
 * are as large as they may ever have to be, take no room until they are written, and cannot be made
 * smaller. The library copies pixels out, as many as the size says that it has checked, and looks
 * at the copy alone; it maps a memory only where nobody can take that away.
 *
 * Program: hello. Then for each photo: library: ask, program: answer, until either side closes the
 * socket. What the program says comes from a process that looks at foreign bytes, and is believed
 * only as far as it was checked. */
#ifndef HST_IMAGES_DECODE_PROTOCOL_H
#define HST_IMAGES_DECODE_PROTOCOL_H
#include "images/format.h"

enum { HST_DECODE_SOCKET = 3, HST_DECODE_BYTES = 4, HST_DECODE_PIXELS = 5 };

/* Processor time: after this much of it the program ends when it has answered, and a new one takes
 * its place; a photo therefore has at least LIMIT - RETIRE seconds. */
enum { HST_DECODE_RETIRE_S = 10, HST_DECODE_LIMIT_S = 30 };

/* The program's argument: how many pixels a photo may have for it, which its memory is limited by.
 * The memory for pixels has three bytes of each. */

enum { HST_DECODE_VERSION_BYTES = 64, HST_DECODE_WHY_BYTES = 232 };

/* The start of every greeting, whatever the version. */
typedef struct hst_decode_who {
    char magic[8], version[20];
    uint32_t formats;
} hst_decode_who;
#define HST_DECODE_WHO                                                                             \
    {                                                                                              \
        "hstdeco", HST_VERSION, HST_FORMATS                                                        \
    }

typedef struct hst_decode_hello {
    hst_decode_who who;
    char sandbox[128]; /* names of the parts that hold */
    /* Of each format the library that reads it and its version: "libtiff 4.5.0"; "": not read. */
    char library[HST_FORMATS][HST_DECODE_VERSION_BYTES];
} hst_decode_hello;

typedef struct hst_decode_ask {
    uint64_t n; /* bytes of the photo */
    uint32_t format;
    uint32_t scales_gray; /* 1: gray of more than 8 bits is stretched over 8, not clipped */
} hst_decode_ask;

enum hst_decode_status {
    HST_DECODE_DONE,
    HST_DECODE_REFUSED,  /* why says it */
    HST_DECODE_TOO_LARGE /* for the memory that this process was started with; ask one with more */
};

typedef struct hst_decode_answer {
    uint32_t status, w, h;
    uint32_t orientation; /* EXIF, 1..8: how the pixels are still to be turned */
    uint32_t ends;        /* 1: this process answers no more */
    uint32_t reserved;
    char why[HST_DECODE_WHY_BYTES];
} hst_decode_answer;
#endif
