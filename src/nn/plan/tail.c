/* tail.c - the last steps of a plan, which take several images before the next step begins.
 *
 * Weights that do not stay in a core's cache until the next image come from the memory behind it,
 * again for every image. A step that takes several images has its weights come once for all of
 * them; on the other hand what it reads and makes of several images may be more than the cache
 * holds. Towards their end networks have ever more weights and ever smaller images, so that one
 * step is chosen from which on it pays, by the bytes that are moved. */
#include "nn/plan/step.h"

/* More are no faster where it was measured, and every image has to wait for the others. */
enum { MOST_IMAGES = 4 };

static double maps_of(const hst_plan *p, const hst_step *s)
{
    size_t floats = p->value[s->output].floats;
    for (int k = 0; k < HST_MAX_INPUTS; k++)
        if (s->input[k] >= 0)
            floats += p->value[s->input[k]].floats;
    return (double)(floats * sizeof(float));
}

static double weights_of(const hst_step *s)
{
    return (double)(s->state_floats * sizeof(float));
}

/* Values of several images share the cache with weights; where they are more than a half of it they
 * are written out and read in again. */
static double cost_of(const hst_plan *p, double maps, int images)
{
    return images * maps > (double)p->request.cache_bytes / 2 ? 2 * maps : 0;
}

/* Bytes of weights an image that need not come again. Where the runner takes one image after the
 * other and they do not fit into the cache, they come again, but from nearer: a half is counted. */
static double gain_of(const hst_plan *p, const hst_step *s, int images)
{
    const double weights = weights_of(s) * (images - 1) / images;
    const int fits = weights_of(s) < (double)p->request.cache_bytes * 3 / 4;
    return s->several || fits ? weights : weights / 2;
}

/* Bytes an image that need not be moved where the last steps take so many images; from which step
 * on that is the most. */
static double saved(const hst_plan *p, int images, int *tail)
{
    const double input = (double)(p->value[0].floats * sizeof(float));
    double sum = -cost_of(p, input, images), most = 0;
    for (int i = p->n_steps - 1; i >= 0; i--) {
        sum += gain_of(p, &p->step[i], images) - cost_of(p, maps_of(p, &p->step[i]), images);
        if (sum > most) {
            most = sum;
            *tail = i;
        }
    }
    return most;
}

void hst_plan_choose_tail(hst_plan *p)
{
    enum { LEAST = 32 }; /* of all bytes that are moved a 32nd has to be saved */
    double weights = 0, all = 0, most = 0;
    p->tail = p->n_steps;
    p->images = 1;
    for (int i = 0; i < p->n_steps; i++) {
        weights += weights_of(&p->step[i]);
        all += weights_of(&p->step[i]) + cost_of(p, maps_of(p, &p->step[i]), 1);
    }
    for (int images = 2; weights > (double)p->request.cache_bytes && images <= MOST_IMAGES;
         images++) {
        int tail = p->n_steps;
        const double bytes = saved(p, images, &tail);
        if (bytes > most && bytes > all / LEAST) {
            most = bytes;
            p->tail = tail;
            p->images = images;
        }
    }
}
