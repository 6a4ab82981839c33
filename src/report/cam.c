/* cam.c - a photo under its class-activation map: coloured where something speaks for the class,
 * the more the denser; a line is around what is at least half of the most. */
#include "base/mem.h"
#include "report/report.h"
#include "report/thumbnail.h"

#include <stdlib.h>
#include <string.h>

/* "inferno" of matplotlib (CC0) at tenths: lightness rises evenly, also for those who do not tell
 * red from green. */
static const uint8_t scale[][3] = {{0, 0, 4},      {22, 11, 57},   {66, 10, 104},  {106, 23, 110},
                                   {147, 38, 103}, {188, 55, 84},  {221, 81, 58},  {243, 120, 25},
                                   {252, 165, 10}, {246, 215, 70}, {252, 255, 164}};
enum { TENTHS = sizeof scale / sizeof *scale - 1 };

static void colour(double v, double rgb[3])
{
    const int i = v < 1 ? (int)(v * TENTHS) : TENTHS - 1;
    const double f = v * TENTHS - i;
    for (int c = 0; c < 3; c++)
        rgb[c] = (1 - f) * scale[i][c] + f * scale[i + 1][c];
}

/* How much of the colour there is on the photo. */
static double density(double v)
{
    return 0.65 * (v < 0.5 ? 2 * v : 1);
}

void hst_report_cam_paint(uint8_t *pixel, double v)
{
    double rgb[3];
    const double grey = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2], part = density(v);
    colour(v, rgb);
    for (int c = 0; c < 3; c++)
        pixel[c] = (uint8_t)((1 - part) * (0.5 * grey + 0.5 * pixel[c]) + part * rgb[c] + 0.5);
}

/* Whether the line around what is at least half of the most goes through the pixel. */
static int on_line(const float *v, int w, int h, int x, int y, float half)
{
    const float *at = v + (size_t)y * (size_t)w + x;
    return *at >= half && ((x > 0 && at[-1] < half) || (x + 1 < w && at[1] < half) ||
                           (y > 0 && at[-w] < half) || (y + 1 < h && at[w] < half));
}

/* map[h][w]: only what is above 0 is evidence. */
static void blend(const float *map, hst_image *photo)
{
    const size_t n = (size_t)photo->w * (size_t)photo->h;
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = map[i] > most ? map[i] : most;
    for (size_t i = 0; i < n; i++)
        hst_report_cam_paint(photo->rgb + 3 * i,
                             most > 0 && map[i] > 0 ? (double)(map[i] / most) : 0);
    for (int y = 0; most > 0 && y < photo->h; y++)
        for (int x = 0; x < photo->w; x++)
            if (on_line(map, photo->w, photo->h, x, y, most / 2))
                memset(photo->rgb + (ptrdiff_t)3 * (y * photo->w + x), 255, 3);
}

int hst_report_cam(const hst_explainer *x, int px, hst_image *out, hst_err *err)
{
    size_t n;
    hst_image photo = {0};
    float *map = NULL;
    if (!hst_explainer_cam(x))
        return hst_fail(err, HST_EARG, "no photo was explained");
    const uint8_t *bytes = hst_explainer_bytes(x, &n);
    const hst_decode how = hst_explainer_decode(x, px);
    int rc = hst_thumbnail_of(&how, bytes, n, &photo, err);
    if (rc == 0) {
        map = hst_alloc_raw((size_t)photo.w * (size_t)photo.h, sizeof *map, err);
        rc = map ? hst_explainer_map(x, photo.w, photo.h, map, err) : HST_EMEM;
    }
    if (rc == 0) {
        blend(map, &photo);
        *out = photo;
        photo.rgb = NULL;
    }
    free(map);
    hst_image_clear(&photo);
    return rc;
}
