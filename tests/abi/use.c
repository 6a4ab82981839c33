/* use.c - the public header as programs include it, in C and in C++ (header.sh). */
#include <headstart.h>
#include <headstart.h> /* twice is once */
#include <stdio.h>
#include <string.h>

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            printf("line %d: %s\n", __LINE__, #what);                                              \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static int on_progress(void *arg, const hst_progress *p)
{
    *(double *)arg += HST_HAS(p, accuracy) ? p->per_s : 0;
    return 0;
}

static int check_defaults(void)
{
    const hst_config cfg = hst_config_default(), env = hst_config_from_env();
    const hst_callbacks callbacks = hst_callbacks_default();
    const hst_backbone_opts backbone = hst_backbone_opts_default();
    const hst_data_opts data = hst_data_opts_default();
    const hst_train_opts train = hst_train_opts_default();
    const hst_pixels pixels = hst_pixels_default();
    const hst_explain_calls explain = hst_explain_calls_default();
    CHECK(cfg.size == sizeof cfg && env.size == sizeof env);
    CHECK(callbacks.size == sizeof callbacks && callbacks.log == NULL);
    CHECK(backbone.size == sizeof backbone && backbone.image_px == 0);
    CHECK(data.size == sizeof data && data.seed == 42);
    CHECK(train.size == sizeof train && strcmp(train.recipe, "auto") == 0);
    CHECK(pixels.size == sizeof pixels && pixels.rgb == NULL);
    CHECK(explain.size == sizeof explain && explain.next == NULL);
    return 0;
}

int main(void)
{
    double sum = 0;
    hst_err err;
    hst_config cfg = hst_config_default();
    CHECK(check_defaults() == 0);
    CHECK(strcmp(hst_strcode(HST_EARG), "bad argument") == 0);
    cfg.threads = 1;
    cfg.progress = on_progress;
    cfg.progress_arg = &sum;
    hst_ctx *ctx = hst_open(&cfg, &err);
    CHECK(ctx != NULL && hst_threads(ctx) == 1);
    hst_close(ctx);
    return 0;
}
