#include "inspection/near.h"
#include "base/executor.h"
#include "base/mem.h"
#include "inspection/align.h"
#include "inspection/groups.h"
#include "inspection/near_index.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    BITS = 64,
    FREQUENCIES = 12, /* along each axis, of which the hash takes 64 */
    ROWS = 64,        /* photos that a thread takes at a time */
};

/* Pairs of a photo with later ones: enough to hold a group together, and thousands of frames of a
 * film are no millions of pairs. */
enum { MOST_PAIRS = 50 };

/* Of 200 photos re-encoded, resized, cropped, brightened and mirrored, 99 in 100 differ in at most
 * so many bits; of pairs of unlike photos 1 in 100 does. */
enum { MOST_BITS = 20 };
/* Correlation at 8 x 8 pixels: what a crop leaves of it. */
static const float least_outline = 0.7f;
/* Correlation of the detail. Of 200 photos' changed copies 2 in 100 have less; different photos of
 * similar things, among 1,300, have 0.852 at most. */
static const float least_detail = 0.87f;

/* What is compared before anything else lies close together: all pairs pass over it. */
typedef struct codes {
    uint64_t *hash; /* signs of even frequencies across in the low half, of odd ones in the high */
    int16_t (*outline)[HST_OUTLINE];
} codes;

/* ---- codes ---- */

typedef struct basis {
    float cosine[FREQUENCIES][HST_THUMB_PX];
    uint8_t across[BITS], down[BITS]; /* frequency of each bit */
} basis;

/* The lowest frequencies, 32 that are even across and 32 that are odd: mirroring turns the signs of
 * the latter. The mean is none of them. */
static void basis_make(basis *b)
{
    int n[2] = {0};
    for (int f = 0; f < FREQUENCIES; f++)
        for (int i = 0; i < HST_THUMB_PX; i++)
            b->cosine[f][i] = (float)cos(acos(-1) * f * (i + 0.5) / HST_THUMB_PX);
    for (int sum = 1; n[0] < BITS / 2 || n[1] < BITS / 2; sum++)
        for (int down = 0; down <= sum; down++) {
            const int across = sum - down, odd = across % 2;
            if (n[odd] == BITS / 2)
                continue;
            b->across[odd * BITS / 2 + n[odd]] = (uint8_t)across;
            b->down[odd * BITS / 2 + n[odd]++] = (uint8_t)down;
        }
}

static uint64_t hash_of(const basis *b, const uint8_t *thumb)
{
    float rows[HST_THUMB_PX][FREQUENCIES] = {0};
    uint64_t hash = 0;
    for (int y = 0; y < HST_THUMB_PX; y++)
        for (int f = 0; f < FREQUENCIES; f++)
            for (int x = 0; x < HST_THUMB_PX; x++)
                rows[y][f] += b->cosine[f][x] * (float)thumb[y * HST_THUMB_PX + x];
    for (int k = 0; k < BITS; k++) {
        float sum = 0;
        for (int y = 0; y < HST_THUMB_PX; y++)
            sum += b->cosine[b->down[k]][y] * rows[y][b->across[k]];
        hash |= (uint64_t)(sum > 0) << k;
    }
    return hash;
}

static float outlines_compare(const int16_t *a, const int16_t *b)
{
    return (float)hst_outlines_alike(a, b) / (float)(HST_OUTLINE_UNIT * HST_OUTLINE_UNIT);
}

/* ---- pairs ---- */

typedef struct pairs {
    hst_near_pair *at;
    size_t n, cap;
} pairs;

typedef struct search {
    const hst_picture *pictures;
    hst_spill *home;
    size_t *photo; /* [n]: of the pictures, all different */
    size_t n;
    codes code;            /* [n] */
    hst_near_index *index; /* NULL: all pairs are looked at */
    pairs *found;          /* of each block of rows */
    hst_meter meter;       /* ctx NULL: nothing is told */
    pthread_mutex_t lock;  /* of it */
    uint64_t done;
} search;

static int pairs_add(pairs *p, const hst_near_pair *pair, hst_err *err)
{
    void *list = p->at;
    if (hst_make_room(&list, p->n, &p->cap, sizeof *p->at, err))
        return HST_EMEM;
    p->at = list;
    p->at[p->n++] = *pair;
    return 0;
}

/* Differing bits of the low and the high half. */
static void count_bits(uint64_t x, int *low, int *high)
{
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    *low = (int)((uint32_t)x * 0x01010101u >> 24);
    *high = (int)((uint32_t)(x >> 32) * 0x01010101u >> 24);
}

/* One photo beside others, as it is and mirrored. */
typedef struct row {
    const search *s;
    size_t i;
    int16_t mirrored[HST_OUTLINE];
    hst_template template[2]; /* as it is, mirrored */
    char made[2];
} row;

static float compare(row *r, size_t j, int mirrored)
{
    const search *s = r->s;
    const int16_t *mine = mirrored ? r->mirrored : s->code.outline[r->i];
    if (outlines_compare(mine, s->code.outline[j]) < least_outline)
        return 0;
    if (!r->made[mirrored])
        hst_template_make(s->pictures[s->photo[r->i]].thumb, mirrored, &r->template[mirrored]);
    r->made[mirrored] = 1;
    hst_spill_visited(s->home);
    return hst_template_compare(&r->template[mirrored], s -> pictures[s->photo[j]].thumb,
                                least_detail);
}

static void row_begin(row *r, size_t i)
{
    r->i = i;
    r->made[0] = r->made[1] = 0;
    hst_outline_mirror(r->s->code.outline[i], r->mirrored);
}

/* Whether j is a near copy: then *pair says how. */
static int is_near(row *r, size_t j, hst_near_pair *pair)
{
    const search *s = r->s;
    int low, high;
    count_bits(s->code.hash[r->i] ^ s->code.hash[j], &low, &high);
    const int mirrored_bits = low + BITS / 2 - high;
    if (low + high > MOST_BITS && mirrored_bits > MOST_BITS)
        return 0;
    *pair = (hst_near_pair){.a = s->photo[r->i], .b = s->photo[j]};
    if (low + high <= MOST_BITS)
        pair->likeness = compare(r, j, 0);
    if (pair->likeness < least_detail && mirrored_bits <= MOST_BITS) {
        pair->likeness = compare(r, j, 1);
        pair->mirrored = 1;
    }
    return pair->likeness >= least_detail;
}

/* i with all behind it. */
static int search_row(row *r, size_t i, pairs *out, hst_err *err)
{
    hst_near_pair pair;
    int rc = 0, n = 0;
    row_begin(r, i);
    for (size_t j = i + 1; rc == 0 && j < r->s->n && n < MOST_PAIRS; j++)
        if (is_near(r, j, &pair)) {
            rc = pairs_add(out, &pair, err);
            n++;
        }
    return rc;
}

/* i with what the index finds; the earlier photo of a pair is the one that is laid over the other,
 * as in all pairs. r[2]: of i, and of one before it. A pair may be found from both sides. */
static int ask_row(row *r, size_t i, pairs *out, hst_err *err)
{
    const search *s = r->s;
    size_t near[HST_NEAR_ASKED];
    hst_near_pair pair;
    int rc = 0;
    row_begin(&r[0], i);
    hst_spill_visited(s->home);
    const size_t n = hst_near_index_ask(s->index, s->pictures[s->photo[i]].thumb, i, near);
    for (size_t k = 0; rc == 0 && k < n; k++) {
        const int is_before = s->photo[near[k]] < s->photo[i];
        if (is_before)
            row_begin(&r[1], near[k]);
        if (is_near(&r[is_before], is_before ? i : near[k], &pair))
            rc = pairs_add(out, &pair, err);
    }
    return rc;
}

/* One more block is done. */
static int tell(search *s, hst_err *err)
{
    pthread_mutex_lock(&s->lock);
    s->done = s->n - s->done < ROWS ? s->n : s->done + ROWS;
    const int rc = hst_meter_at(&s->meter, s->done, err);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int search_rows(void *arg, size_t block, int thread, hst_err *err)
{
    search *s = arg;
    int rc = 0;
    (void)thread;
    row *r = hst_alloc_raw(2, sizeof *r, err);
    if (!r)
        return HST_EMEM;
    r[0].s = r[1].s = s;
    for (size_t i = block * ROWS; rc == 0 && i < (block + 1) * ROWS && i < s->n; i++)
        rc = s->index ? ask_row(r, i, &s->found[block], err)
                      : search_row(r, i, &s->found[block], err);
    free(r);
    return rc || !s->meter.ctx ? rc : tell(s, err);
}

static void code_photo(void *arg, size_t i, int thread)
{
    const search *s = ((const void **)arg)[0];
    const basis *b = ((const void **)arg)[1];
    const uint8_t *thumb = s->pictures[s->photo[i]].thumb;
    (void)thread;
    s->code.hash[i] = hash_of(b, thumb);
    hst_outline_of(thumb, s->code.outline[i]);
    hst_spill_passed(s->home, sizeof *s->pictures);
}

static void swap(search *s, size_t i, size_t j)
{
    const size_t photo = s->photo[i];
    const uint64_t hash = s->code.hash[i];
    int16_t outline[HST_OUTLINE];
    memcpy(outline, s->code.outline[i], sizeof outline);
    s->photo[i] = s->photo[j];
    s->code.hash[i] = s->code.hash[j];
    memcpy(s->code.outline[i], s->code.outline[j], sizeof outline);
    s->photo[j] = photo;
    s->code.hash[j] = hash;
    memcpy(s->code.outline[j], outline, sizeof outline);
}

/* Makes the index, and puts photos and their codes into its order, in place. */
static int make_index(hst_executor *ex, search *s, hst_err *err)
{
    size_t *order = hst_alloc(s->n, sizeof *order, err);
    if (!order)
        return HST_EMEM;
    s->index = hst_near_index_new(ex, s->code.outline, s->n, order, err);
    for (size_t i = 0; s->index && i < s->n; i++) {
        size_t to = i;
        for (size_t from; (from = order[to]) != i; to = from) { /* round a cycle of places */
            swap(s, to, from);
            order[to] = to;
        }
        order[to] = to;
    }
    free(order);
    return s->index ? 0 : HST_EMEM;
}

/* Appends what was found, row by row. */
static int search_all(hst_executor *ex, search *s, int indexed, pairs *out, hst_err *err)
{
    const size_t blocks = (s->n + ROWS - 1) / ROWS;
    basis b;
    int rc = HST_EMEM;
    basis_make(&b);
    s->code.hash = hst_alloc(s->n, sizeof *s->code.hash, err);
    s->code.outline = s->code.hash ? hst_alloc(s->n, sizeof *s->code.outline, err) : NULL;
    s->found = s->code.outline ? hst_alloc(blocks, sizeof *s->found, err) : NULL;
    if (s->found) {
        hst_executor_for(ex, s->n, code_photo, (const void *[]){s, &b});
        rc = indexed ? make_index(ex, s, err) : 0;
    }
    rc = rc ? rc : hst_executor_try(ex, blocks, search_rows, s, err);
    for (size_t k = 0; s->found && k < blocks; k++) {
        for (size_t i = 0; rc == 0 && i < s->found[k].n; i++)
            rc = pairs_add(out, &s->found[k].at[i], err);
        free(s->found[k].at);
    }
    hst_near_index_free(s->index);
    free(s->found);
    free(s->code.hash);
    free(s->code.outline);
    return rc;
}

static int by_photos(const void *pa, const void *pb)
{
    const hst_near_pair *a = pa, *b = pb;
    if (a->a != b->a)
        return a->a < b->a ? -1 : 1;
    return a->b < b->b ? -1 : a->b > b->b;
}

/* In order, each once. */
static void sort_pairs(pairs *p)
{
    size_t n = 0;
    if (p->n)
        qsort(p->at, p->n, sizeof *p->at, by_photos);
    for (size_t k = 0; k < p->n; k++)
        if (k == 0 || by_photos(&p->at[k], &p->at[k - 1]))
            p->at[n++] = p->at[k];
    p->n = n;
}

/* s->photo[s->n]: the first of each picture; the others become pairs with it. */
static int pair_copies(search *s, size_t photos, pairs *out, hst_err *err)
{
    size_t *first = hst_alloc(photos, sizeof *first, err);
    uint64_t *pixels = first ? hst_alloc(photos, sizeof *pixels, err) : NULL;
    int rc = HST_EMEM;
    for (size_t i = 0; pixels && i < photos; i++) {
        pixels[i] = s->pictures[i].pixels;
        hst_spill_passed(s->home, sizeof *s->pictures);
    }
    if (pixels)
        rc = hst_pixels_first(pixels, sizeof *pixels, photos, first, err);
    for (size_t i = 0; rc == 0 && i < photos; i++)
        if (first[i] != i)
            rc = pairs_add(out, &(hst_near_pair){first[i], i, 1, 0}, err);
        else if (pixels[i])
            s->photo[s->n++] = i;
    free(first);
    free(pixels);
    return rc;
}

int hst_near_find(const hst_ctx *ctx, const hst_picture *pictures, hst_spill *home, size_t n,
                  hst_near *out, hst_err *err)
{
    return hst_near_search(ctx, &(hst_near_among){pictures, home, n, HST_NEAR_ALL_PAIRS}, out, err);
}

int hst_near_search(const hst_ctx *ctx, const hst_near_among *in, hst_near *out, hst_err *err)
{
    pairs found = {0};
    search s = {.pictures = in->pictures, .home = in->home};
    s.photo = hst_alloc(in->n, sizeof *s.photo, err);
    out->group = s.photo ? hst_alloc(in->n, sizeof *out->group, err) : NULL;
    int rc = out->group ? 0 : HST_EMEM;
    if (rc == 0)
        rc = pair_copies(&s, in->n, &found, err);
    const int indexed = s.n > in->all_pairs;
    if (indexed && ctx)
        s.meter = hst_meter_start(ctx, "near copies", s.n);
    pthread_mutex_init(&s.lock, NULL);
    if (rc == 0 && s.n)
        rc = search_all(ctx ? ctx->executor : NULL, &s, indexed, &found, err);
    pthread_mutex_destroy(&s.lock);
    free(s.photo);
    sort_pairs(&found);
    void *fitting = rc == 0 && found.n ? realloc(found.at, found.n * sizeof *found.at) : NULL;
    found.at = fitting ? fitting : found.at;
    *out = (hst_near){in->n, out->group, found.at, found.n, indexed ? s.n : 0};
    if (rc) {
        hst_near_clear(out);
        return rc;
    }
    for (size_t i = 0; i < in->n; i++)
        out->group[i] = i;
    for (size_t k = 0; k < found.n; k++)
        hst_groups_join(out->group, found.at[k].a, found.at[k].b);
    hst_groups_flatten(out->group, in->n);
    return 0;
}

void hst_near_clear(hst_near *near)
{
    free(near->group);
    free(near->pair);
    *near = (hst_near){0};
}
