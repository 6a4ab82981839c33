/* scene.h - photos, a backbone and a model on it, for tests of the public interface. */
#ifndef HST_TESTS_ABI_SCENE_H
#define HST_TESTS_ABI_SCENE_H
#include "made_up.h"
#include "support.h"

enum { SCENE_PER_CLASS = 12 };

typedef struct scene {
    hst_ctx *ctx; /* with a cache folder */
    hst_backbone *b;
    hst_data *d;
    hst_model *m;
    hst_session *s;
    char *dir, *cache, *network;
} scene;

/* Writes 12 photos each of the classes a and b into dir. */
void scene_photos(const char *dir);
/* For a group of tests, whose *state is a scene *. */
int scene_set_up(void **state);
int scene_tear_down(void **state);
#endif
