#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

void scene_photos(const char *dir)
{
    char path[4096];
    for (int i = 0; i < 2 * SCENE_PER_CLASS; i++) {
        snprintf(path, sizeof path, "%s/%c", dir, 'a' + i % 2);
        (void)mkdir(path, 0777);
        snprintf(path, sizeof path, "%s/%c/%d.png", dir, 'a' + i % 2, i);
        made_up_png(path, 20, 25, (uint64_t)i);
    }
}

int scene_set_up(void **state)
{
    static const char *const labels[] = {"a", "b"};
    static scene s;
    hst_err err = {0};
    hst_config cfg = hst_config_default();
    made_up m = made_up_tensors(0.1, 1);
    s.dir = temporary_folder();
    s.cache = temporary_folder();
    s.network = made_up_folder(&m, MADE_UP_CONFIG);
    made_up_free(&m);
    scene_photos(s.dir);
    cfg.threads = 2;
    cfg.offline = 1;
    cfg.cache_dir = s.cache;
    s.ctx = hst_open(&cfg, &err);
    check_ok(s.ctx == NULL, &err);
    s.b = hst_backbone_open(s.ctx, s.network, &err);
    check_ok(s.b == NULL, &err);
    s.d = hst_data_open(s.ctx, s.dir, NULL, &err);
    check_ok(s.d == NULL, &err);
    s.m = made_up_model(s.b, labels, 2);
    s.s = hst_session_open(s.ctx, s.m, &err);
    check_ok(s.s == NULL, &err);
    *state = &s;
    return 0;
}

int scene_tear_down(void **state)
{
    scene *s = *state;
    char *folders[] = {s->dir, s->cache, s->network};
    hst_session_free(s->s);
    hst_model_free(s->m);
    hst_data_free(s->d);
    hst_backbone_free(s->b);
    hst_close(s->ctx);
    for (size_t i = 0; i < 3; i++) {
        remove_tree(folders[i]);
        free(folders[i]);
    }
    return 0;
}
