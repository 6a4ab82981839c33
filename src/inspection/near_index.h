/* near_index.h - of many outlines those most like a photo's, found without looking at all of them:
 * an inverted file (Sivic and Zisserman 2003). Each outline is in the cell of the centre it is most
 * like, of some 2 sqrt(n) centres, and a photo looks into the few cells nearest to it: as it is,
 * mirrored, and cropped in several places, as what was cropped from it looks most like one of
 * these. The work grows with n sqrt(n), whatever the photos are like.
 *
 * What lies in another cell, or behind others that are more alike, is not found: docs/doctor.md
 * says how much that is. */
#ifndef HST_INSPECTION_NEAR_INDEX_H
#define HST_INSPECTION_NEAR_INDEX_H
#include "base/executor.h"
#include "inspection/outline.h"

enum {
    HST_NEAR_LOOKS = 7,   /* ways in which a photo asks */
    HST_NEAR_OF_EACH = 4, /* outlines that each finds at most */
    HST_NEAR_ASKED = HST_NEAR_LOOKS * HST_NEAR_OF_EACH
};

typedef struct hst_near_index hst_near_index;

/* order[k]: which of outline[n], n at least 1, stands k-th in the index, cell by cell. Before it is
 * asked, the caller puts outline, which stays his, into this order. Errors: HST_EMEM. */
HST_CHECK hst_near_index *hst_near_index_new(hst_executor *ex,
                                             const int16_t (*outline)[HST_OUTLINE], size_t n,
                                             size_t *order, hst_err *err);
/* Places in that order, without `me`, of the outlines most like what the photo at `me` looks like:
 * near[returned], ascending. From any thread. */
size_t hst_near_index_ask(const hst_near_index *x, const uint8_t *thumb, size_t me,
                          size_t near[HST_NEAR_ASKED]);
void hst_near_index_free(hst_near_index *x); /* NULL is fine */
#endif
