/* transport_none.c - in place of curl.c and response.c: nothing is asked of anybody. */
#include "base/parts.h"
#include "hub/transport.h"

int hst_curl_exchange(const hst_request *rq, hst_response *r, hst_err *err)
{
    (void)rq;
    *r = (hst_response){.retry_after_s = -1};
    return hst_part_missing(HST_PART_CURL, err);
}
