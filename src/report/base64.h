/* base64.h - bytes as text (RFC 4648), for pictures inside a page. Into a buffer that grows, which
 * libcrypto's encoder would need a second one for. */
#ifndef HST_REPORT_BASE64_H
#define HST_REPORT_BASE64_H
#include "base/buf.h"

void hst_base64_add(hst_buf *b, const unsigned char *p, size_t n);
#endif
