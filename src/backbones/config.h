/* config.h - what readers of config files share (config.c). */
#ifndef HST_BACKBONES_CONFIG_H
#define HST_BACKBONES_CONFIG_H
#include "backbones/arch.h"

struct json_t; /* jansson.h */

/* A member that must have this value where it is present: another would be another network. */
HST_CHECK int hst_config_must_be(const struct json_t *o, const char *key, double want,
                                 hst_err *err);
HST_CHECK int hst_config_must_say(const struct json_t *o, const char *key, const char *want,
                                  hst_err *err);
/* "image_size": the side of a square, or [height, width]. Absent: *size stays. */
HST_CHECK int hst_config_image_size(const struct json_t *o, hst_size *size, hst_err *err);

/* Of timm's config.json the object that says what photos are to be like. */
const struct json_t *hst_config_timm_cfg(const struct json_t *root);
/* Of it mean and std of pixels in 0..1, and input_size: channels, height, width. */
HST_CHECK int hst_config_timm_pretrained(const struct json_t *o, hst_arch *a, hst_err *err);
/* Of weights whose licence must be passed on, what it says of that. */
void hst_config_timm_licence(const struct json_t *o, hst_arch *a);
/* What covers size / crop_pct, rounded down, then the middle. */
void hst_config_timm_sizing(const struct json_t *o, hst_size size, hst_sizing *s);
#endif
