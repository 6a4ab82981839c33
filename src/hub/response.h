/* response.h - the head of an HTTP answer. */
#ifndef HST_HUB_RESPONSE_H
#define HST_HUB_RESPONSE_H
#include "hub/transport.h"

#include <curl/curl.h>

/* What the answer that c has just read the head of says. */
void hst_response_read(CURL *c, hst_response *r);
#endif
