/* look.h - inside the room: what looks at one thing each, and where findings go. */
#ifndef HST_INSPECTION_LOOK_H
#define HST_INSPECTION_LOOK_H
#include "inspection/inspection.h"

/* A finding about paths[n], which may be the caller's; the last argument says what is so. Errors:
 * HST_EMEM. */
typedef struct hst_find {
    enum hst_kind kind;
    double rank;
    const char *const *paths;
    size_t n;
} hst_find;
HST_CHECK int hst_inspection_add(hst_inspection *r, const hst_find *f, hst_err *err,
                                 const char *what, ...) HST_PRINTF(4, 5);

/* Each adds what it finds. Errors: HST_EMEM. */
HST_CHECK int hst_look_at_photos(const hst_inspected *in, hst_inspection *r, hst_err *err);
HST_CHECK int hst_look_at_copies(const hst_inspected *in, hst_inspection *r, hst_err *err);
HST_CHECK int hst_look_at_classes(const hst_inspected *in, hst_inspection *r, hst_err *err);
HST_CHECK int hst_look_at_others(const hst_inspected *in, hst_inspection *r, hst_err *err);
#endif
