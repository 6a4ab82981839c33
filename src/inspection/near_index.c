#include "inspection/near_index.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_CELLS = 6, /* that one look goes through */
    /* Outlines of a cell that are looked at, in means of all cells: photos that are all alike share
     * a cell, and would look at each other all. The largest of 60,000 photos has 7. */
    MOST_OF_CELL = 16,
};

/* What a photo may have become: `px` of its thumbnail's pixels from x, y on. A crop of a tenth of
 * each side, anywhere, differs from the nearest of these by a pixel or two. */
typedef struct look {
    uint8_t px, x, y, mirrored, cells;
} look;
static const look looks[HST_NEAR_LOOKS] = {{HST_THUMB_PX, 0, 0, 0, MOST_CELLS}, /* as it is */
                                           {HST_THUMB_PX, 0, 0, 1, MOST_CELLS},
                                           {29, 0, 0, 0, 3},
                                           {29, 3, 0, 0, 3},
                                           {29, 0, 3, 0, 3},
                                           {29, 3, 3, 0, 3},
                                           {29, 1, 1, 0, 3}};

struct hst_near_index {
    const int16_t (*outline)[HST_OUTLINE];
    int16_t (*centre)[HST_OUTLINE]; /* [cells] */
    size_t *start;                  /* [cells + 1] the first outline of each */
    uint32_t *cell;                 /* [n] until they are in order */
    size_t n, cells, most;
};

/* ---- the most alike ---- */

typedef struct best {
    int32_t alike;
    size_t at;
} best;

/* list[most], the most alike first, of equals the first one; 0 where nothing is yet. */
static void consider(best *list, size_t most, int32_t alike, size_t at)
{
    size_t k = most - 1;
    if (alike <= list[k].alike)
        return;
    for (; k > 0 && alike > list[k - 1].alike; k--)
        list[k] = list[k - 1];
    list[k] = (best){alike, at};
}

static void nearest_cells(const hst_near_index *x, const int16_t *outline, size_t most, best *list)
{
    for (size_t c = 0; c < x->cells; c++)
        consider(list, most, hst_outlines_alike(outline, x->centre[c]), c);
}

static void look_into(const hst_near_index *x, size_t cell, const int16_t *outline, size_t me,
                      best *list)
{
    size_t from = x->start[cell], to = x->start[cell + 1];
    if (to - from > x->most) { /* those around me, so that all hang together */
        size_t first = me > from + x->most / 2 ? me - x->most / 2 : from;
        from = first < to - x->most ? first : to - x->most;
        to = from + x->most;
    }
    for (size_t k = from; k < to; k++)
        if (k != me)
            consider(list, HST_NEAR_OF_EACH, hst_outlines_alike(outline, x->outline[k]), k);
}

static void outline_as(const look *l, const uint8_t *thumb, int16_t out[HST_OUTLINE])
{
    uint8_t part[HST_THUMB_PX * HST_THUMB_PX];
    for (int y = 0; y < HST_THUMB_PX; y++)
        for (int x = 0; x < HST_THUMB_PX; x++) {
            const int down = l->y + (2 * y + 1) * l->px / (2 * HST_THUMB_PX);
            const int across = l->x + (2 * x + 1) * l->px / (2 * HST_THUMB_PX);
            const int to = l->mirrored ? HST_THUMB_PX - 1 - x : x;
            part[y * HST_THUMB_PX + to] = thumb[down * HST_THUMB_PX + across];
        }
    hst_outline_of(part, out);
}

static int by_place(const void *pa, const void *pb)
{
    const size_t a = *(const size_t *)pa, b = *(const size_t *)pb;
    return a < b ? -1 : a > b;
}

size_t hst_near_index_ask(const hst_near_index *x, const uint8_t *thumb, size_t me,
                          size_t near[HST_NEAR_ASKED])
{
    size_t found = 0, n = 0;
    for (const look *l = looks; l < looks + HST_NEAR_LOOKS; l++) {
        best cell[MOST_CELLS] = {{0}}, list[HST_NEAR_OF_EACH] = {{0}};
        int16_t outline[HST_OUTLINE];
        outline_as(l, thumb, outline);
        nearest_cells(x, outline, l->cells, cell);
        for (size_t c = 0; c < l->cells && cell[c].alike; c++)
            look_into(x, cell[c].at, outline, me, list);
        for (size_t k = 0; k < HST_NEAR_OF_EACH && list[k].alike; k++)
            near[found++] = list[k].at;
    }
    if (found)
        qsort(near, found, sizeof *near, by_place);
    for (size_t k = 0; k < found; k++)
        if (k == 0 || near[k] != near[k - 1])
            near[n++] = near[k];
    return n;
}

/* ---- the cells ---- */

static void find_cell(void *arg, size_t i, int thread)
{
    hst_near_index *x = arg;
    best nearest = {0};
    (void)thread;
    nearest_cells(x, x->outline[i], 1, &nearest);
    x->cell[i] = (uint32_t)nearest.at;
}

/* Every so many photos one is a centre: means of many (k-means) find no more. */
static void make_cells(hst_executor *ex, hst_near_index *x, size_t *order)
{
    for (size_t c = 0; c < x->cells; c++)
        memcpy(x->centre[c], x->outline[c * x->n / x->cells], sizeof *x->centre);
    hst_executor_for(ex, x->n, find_cell, x);
    for (size_t i = 0; i < x->n; i++)
        x->start[x->cell[i] + 1]++;
    for (size_t c = 0; c < x->cells; c++)
        x->start[c + 1] += x->start[c];
    for (size_t i = 0; i < x->n; i++)
        order[x->start[x->cell[i]]++] = i;
    memmove(x->start + 1, x->start, x->cells * sizeof *x->start); /* each now at its end */
    x->start[0] = 0;
}

hst_near_index *hst_near_index_new(hst_executor *ex, const int16_t (*outline)[HST_OUTLINE],
                                   size_t n, size_t *order, hst_err *err)
{
    const size_t cells = (size_t)(2 * sqrt((double)n));
    hst_near_index *x = hst_alloc(1, sizeof *x, err);
    if (!x)
        return NULL;
    *x = (hst_near_index){.outline = outline, .n = n, .cells = cells < n ? cells : n};
    x->most = MOST_OF_CELL * n / x->cells;
    x->centre = hst_alloc(x->cells, sizeof *x->centre, err);
    x->start = x->centre ? hst_alloc(x->cells + 1, sizeof *x->start, err) : NULL;
    x->cell = x->start ? hst_alloc(n, sizeof *x->cell, err) : NULL;
    if (!x->cell) {
        hst_near_index_free(x);
        return NULL;
    }
    make_cells(ex, x, order);
    free(x->cell);
    x->cell = NULL;
    return x;
}

void hst_near_index_free(hst_near_index *x)
{
    if (!x)
        return;
    free(x->centre);
    free(x->start);
    free(x->cell);
    free(x);
}
