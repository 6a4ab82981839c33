/* url_parts_none.c - in place of url_parts.c where there is no libcurl: names and caches work as
 * they do with it, and no address is asked, so that none has to be understood. */
#include "base/parts.h"
#include "hub/url.h"

int hst_url_check_host(const char *url, hst_err *err)
{
    (void)url;
    (void)err;
    return 0;
}

int hst_url_same_origin(const char *a, const char *b)
{
    (void)a;
    (void)b;
    return 0;
}

int hst_url_join(const char *base, const char *location, char *out, hst_err *err)
{
    (void)base;
    (void)location;
    out[0] = 0;
    return hst_part_missing(HST_PART_CURL, err);
}
