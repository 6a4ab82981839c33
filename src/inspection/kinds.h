/* kinds.h - what an inspection may find. */
#ifndef HST_INSPECTION_KINDS_H
#define HST_INSPECTION_KINDS_H
#include "headstart.h"

/* The worst first. */
enum hst_kind {
    HST_KIND_UNDECODABLE,
    HST_KIND_TRUNCATED,
    HST_KIND_UNREAD_PICTURES,
    HST_KIND_LOOSE,
    HST_KIND_ONE_CLASS,
    HST_KIND_EMPTY_CLASS,
    HST_KIND_COPIES_CLASSES,
    HST_KIND_COPIES_SIDES,
    HST_KIND_NEAR_CLASSES,
    HST_KIND_NEAR_SIDES,
    HST_KIND_UNREAD_FOLDER,
    HST_KIND_LIST,
    HST_KIND_CLASS_NAMES,
    HST_KIND_TINY_CLASS,
    HST_KIND_IMBALANCE,
    HST_KIND_UNMEASURED,
    HST_KIND_UNIFORM,
    HST_KIND_DARK,
    HST_KIND_OVEREXPOSED,
    HST_KIND_BLURRED,
    HST_KIND_TINY,
    HST_KIND_ASPECT,
    HST_KIND_COPIES,
    HST_KIND_NEAR_COPIES,
    HST_KIND_EXTENSION,
    HST_KIND_ROTATED,
    HST_KIND_CMYK,
    HST_KIND_DEEP,
    HST_KIND_ALPHA,
    HST_KIND_ANIMATED,
    HST_KIND_OTHER_FILES,
    HST_KIND_NEAR_INDEX,
    HST_KINDS
};

typedef struct hst_kind_facts {
    const char *name; /* for programs: never changed once published */
    enum hst_severity severity;
    const char *title;  /* what is so of all that is found of it */
    const char *advice; /* what to do */
} hst_kind_facts;
extern const hst_kind_facts hst_kinds[HST_KINDS];
#endif
