/* mutate_picture.c - pictures: their formats begin with boxes, directories or markers, whose
 * numbers are of one, two or four bytes with either end first. */
#include "mutate.h"

enum { HEAD = 700 };

static void turn(uint8_t *p, unsigned width)
{
    for (unsigned i = 0; i < width / 2; i++) {
        const uint8_t t = p[i];
        p[i] = p[width - 1 - i];
        p[width - 1 - i] = t;
    }
}

void mutate_picture(mutant *m)
{
    const unsigned width = 1u << mutate_below(m, 3);
    const int big = mutate_below(m, 2) == 0;
    if (m->n < 2 * width)
        return;
    const size_t most = m->n - width, at = mutate_below(m, most < HEAD ? most : HEAD);
    if (big)
        turn(m->p + at, width);
    mutate_put(m->p + at, width, mutate_number(m, mutate_get(m->p + at, width)));
    if (big)
        turn(m->p + at, width);
}
