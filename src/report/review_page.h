/* review_page.h - review.html: the photos of a review to look at. */
#ifndef HST_REPORT_REVIEW_PAGE_H
#define HST_REPORT_REVIEW_PAGE_H
#include "base/buf.h"
#include "review/review.h"

enum { HST_REVIEW_PAGE_MAX = 64 << 20 };

/* Adds the page to b. One file that needs nothing else, no script either, and forbids both. Of long
 * lists the first photos are shown. All text escaped. Errors: HST_EMEM. */
HST_CHECK int hst_review_page(const hst_review *r, hst_buf *b, hst_err *err);
#endif
