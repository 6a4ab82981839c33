/* pictures_none.c - in place of everything that draws with cairo: canvas.c, chart.c and the
 * pictures that are drawn on them. The page needs none of it. */
#include "base/parts.h"
#include "report/report.h"

static int no_picture(hst_err *err)
{
    return hst_part_missing(HST_PART_CAIRO, err);
}

int hst_curves_png(const hst_curves *in, hst_buf *b, hst_err *err)
{
    (void)in;
    (void)b;
    return no_picture(err);
}

int hst_curves_svg(const hst_curves *in, hst_buf *b, hst_err *err)
{
    (void)in;
    (void)b;
    return no_picture(err);
}

int hst_report_photo(const hst_eval *e, size_t i, const char *path, hst_err *err)
{
    (void)e;
    (void)i;
    (void)path;
    return no_picture(err);
}

int hst_report_augmented(const hst_augmented *in, const char *path, hst_err *err)
{
    (void)in;
    (void)path;
    return no_picture(err);
}

int hst_contact_sheet(const hst_eval *e, size_t max_photos, const char *path, hst_err *err)
{
    (void)e;
    (void)max_photos;
    (void)path;
    return no_picture(err);
}

int hst_explain_draw(const hst_explainer *x, const char *path, hst_err *err)
{
    (void)x;
    (void)path;
    return no_picture(err);
}
