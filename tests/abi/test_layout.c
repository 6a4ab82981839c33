/* abi: the structs of 0.1 begin today's, field by field. */
#include "structs_0_1.h"
#include "support.h"

#include <stdio.h>

#define AT(name, field)                                                                            \
    {                                                                                              \
        offsetof(name##_0_1, field), offsetof(hst_##name, field), sizeof((name##_0_1){0}.field),   \
            sizeof((hst_##name){0}.field), #name "." #field                                        \
    }
static const struct field {
    size_t at_0_1, at, size_0_1, size;
    const char *name;
} fields[] = {AT(err, code),
              AT(err, msg),
              AT(progress, size),
              AT(progress, what),
              AT(progress, done),
              AT(progress, total),
              AT(progress, per_s),
              AT(progress, in_bytes),
              AT(progress, loss),
              AT(progress, accuracy),
              AT(config, size),
              AT(config, threads),
              AT(config, cpu),
              AT(config, cache_dir),
              AT(config, helper),
              AT(config, offline),
              AT(config, no_store),
              AT(config, rehash),
              AT(config, store_max_bytes),
              AT(config, log),
              AT(config, log_arg),
              AT(config, progress),
              AT(config, progress_arg),
              AT(config, hf_endpoint),
              AT(config, hf_token),
              AT(config, hf_token_file),
              AT(config, hf_cache),
              AT(config, kaggle_endpoint),
              AT(config, kaggle_user),
              AT(config, kaggle_key),
              AT(config, kaggle_cache),
              AT(config, tfhub_cache),
              AT(config, keras_home),
              AT(config, torch_home),
              AT(config, mirror),
              AT(config, http_proxy),
              AT(config, https_proxy),
              AT(config, no_proxy),
              AT(config, ca_file),
              AT(config, retry_ms),
              AT(config, stall_s),
              AT(callbacks, size),
              AT(callbacks, log),
              AT(callbacks, log_arg),
              AT(callbacks, progress),
              AT(callbacks, progress_arg),
              AT(backbone_entry, size),
              AT(backbone_entry, name),
              AT(backbone_entry, sources),
              AT(backbone_entry, bytes),
              AT(backbone_entry, known),
              AT(backbone_entry, cached),
              AT(backbone_opts, size),
              AT(backbone_opts, image_px),
              AT(backbone_opts, scaling),
              AT(backbone_info, size),
              AT(backbone_info, family),
              AT(backbone_info, width),
              AT(backbone_info, image_px),
              AT(backbone_info, n_features),
              AT(backbone_info, padding),
              AT(backbone_info, bn_epsilon),
              AT(backbone_info, n_params),
              AT(backbone_info, n_statistics),
              AT(backbone_info, mean),
              AT(backbone_info, std),
              AT(backbone_info, scaling),
              AT(backbone_info, source),
              AT(backbone_info, sha256),
              AT(backbone_info, format),
              AT(backbone_info, producer),
              AT(backbone_info, resize_px),
              AT(backbone_info, geometry),
              AT(backbone_info, interpolation),
              AT(rate, best),
              AT(rate, median),
              AT(speed, size),
              AT(speed, threads),
              AT(speed, peak_one),
              AT(speed, peak_all),
              AT(speed, copy),
              AT(speed, images_one),
              AT(speed, images_all),
              AT(speed, image_flops),
              AT(data_opts, size),
              AT(data_opts, split),
              AT(data_opts, val_part),
              AT(data_opts, seed),
              AT(data_opts, val_dir),
              AT(store_info, size),
              AT(store_info, vectors),
              AT(store_info, files),
              AT(store_info, bytes),
              AT(store_info, max_bytes),
              AT(train_opts, size),
              AT(train_opts, recipe),
              AT(train_opts, prepare),
              AT(train_opts, seed),
              AT(train_opts, class_weight),
              AT(train_opts, epochs),
              AT(train_opts, batch),
              AT(train_opts, optimizer),
              AT(train_opts, learning_rate),
              AT(train_opts, momentum),
              AT(train_opts, l2),
              AT(train_opts, label_smoothing),
              AT(train_opts, dropout),
              AT(train_opts, fine_tune),
              AT(train_opts, thaw),
              AT(train_opts, batch_norm),
              AT(train_opts, augment),
              AT(train_opts, schedule),
              AT(train_opts, layer_decay),
              AT(train_opts, clip),
              AT(train_opts, patience),
              AT(train_opts, run_dir),
              AT(train_opts, checkpoint_steps),
              AT(train_opts, resume),
              AT(pixels, size),
              AT(pixels, rgb),
              AT(pixels, width_px),
              AT(pixels, height_px),
              AT(pixels, row_bytes),
              AT(report_opts, size),
              AT(report_opts, date),
              AT(report_opts, command),
              AT(report_opts, model),
              AT(report_opts, photos),
              AT(prediction, size),
              AT(prediction, index),
              AT(prediction, path),
              AT(prediction, why),
              AT(prediction, prob),
              AT(prediction, n),
              AT(prediction, code),
              AT(class_score, size),
              AT(class_score, precision),
              AT(class_score, recall),
              AT(class_score, f1),
              AT(class_score, support),
              AT(eval_photo, size),
              AT(eval_photo, path),
              AT(eval_photo, truth),
              AT(eval_photo, guess),
              AT(eval_photo, prob)};

static void fields_are_where_they_were(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].at != fields[i].at_0_1 || fields[i].size != fields[i].size_0_1)
            fail_msg("%s: %zu bytes at %zu, in 0.1 %zu at %zu", fields[i].name, fields[i].size,
                     fields[i].at, fields[i].size_0_1, fields[i].at_0_1);
}

/* Padding at the end would be where a later field lies, which an older program does not set. */
static void a_later_field_lies_behind(void **state)
{
    (void)state;
#define NO_PADDING(name, last)                                                                     \
    assert_int_equal(offsetof(name##_0_1, last) + sizeof((name##_0_1){0}.last), sizeof(name##_0_1));
    STRUCTS_0_1(NO_PADDING)
    assert_int_equal(sizeof(hst_err), sizeof(err_0_1)); /* these two never grow */
    assert_int_equal(sizeof(hst_rate), sizeof(rate_0_1));
}

static void the_version_is_the_headers(void **state)
{
    (void)state;
    char text[64];
    snprintf(text, sizeof text, "%d.%d.%d", HST_VERSION_MAJOR, HST_VERSION_MINOR,
             HST_VERSION_PATCH);
    assert_string_equal(hst_version(), text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_where_they_were),
        cmocka_unit_test(a_later_field_lies_behind),
        cmocka_unit_test(the_version_is_the_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
