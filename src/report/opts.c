/* opts.c - what a caller says of a job. */
#include "base/sized.h"
#include "report/report.h"

static const hst_sized sized = HST_SIZED(hst_report_opts, photos);
static const hst_report_opts defaults = {.size = sizeof defaults};

void hst_report_opts_init(hst_report_opts *o, size_t size)
{
    hst_sized_init(&sized, &defaults, o, size);
}

int hst_report_opts_read(const hst_report_opts *given, hst_report_opts *out, hst_err *err)
{
    *out = defaults;
    return hst_sized_read(&sized, out, given, err);
}
