/* structs_0_1.h - the structs of headstart.h as version 0.1 published them, under names of their
 * own. A program built then has these on its stack: never to be changed. */
#ifndef HST_TESTS_STRUCTS_0_1_H
#define HST_TESTS_STRUCTS_0_1_H
#include "headstart.h"

typedef struct err_0_1 {
    int code;
    char msg[1024];
} err_0_1;

typedef struct progress_0_1 {
    size_t size;
    const char *what;
    uint64_t done, total;
    double per_s;
    int in_bytes;
    double loss, accuracy;
} progress_0_1;

typedef struct config_0_1 {
    size_t size;
    int threads;
    const char *cpu;
    const char *cache_dir;
    const char *helper;
    int offline;
    int no_store;
    int rehash;
    uint64_t store_max_bytes;
    hst_log_fn *log;
    void *log_arg;
    hst_progress_fn *progress;
    void *progress_arg;
    const char *hf_endpoint, *hf_token, *hf_token_file;
    const char *hf_cache;
    const char *kaggle_endpoint, *kaggle_user, *kaggle_key, *kaggle_cache;
    const char *tfhub_cache, *keras_home, *torch_home;
    const char *mirror;
    const char *http_proxy, *https_proxy, *no_proxy;
    const char *ca_file;
    int retry_ms;
    int stall_s;
} config_0_1;

typedef struct callbacks_0_1 {
    size_t size;
    hst_log_fn *log;
    void *log_arg;
    hst_progress_fn *progress;
    void *progress_arg;
} callbacks_0_1;

typedef struct backbone_entry_0_1 {
    size_t size;
    const char *name;
    const char *sources;
    uint64_t bytes;
    int known;
    int cached;
} backbone_entry_0_1;

typedef struct backbone_opts_0_1 {
    size_t size;
    int image_px;
    const char *scaling;
} backbone_opts_0_1;

typedef struct backbone_info_0_1 {
    size_t size;
    const char *family;
    double width;
    int image_px;
    int n_features;
    const char *padding;
    double bn_epsilon;
    uint64_t n_params;
    uint64_t n_statistics;
    double mean[3], std[3];
    const char *scaling;
    const char *source;
    const char *sha256;
    const char *format;
    const char *producer;
    int resize_px;
    const char *geometry, *interpolation;
} backbone_info_0_1;

typedef struct rate_0_1 {
    double best, median;
} rate_0_1;

typedef struct speed_0_1 {
    size_t size;
    int threads;
    rate_0_1 peak_one, peak_all;
    rate_0_1 copy;
    rate_0_1 images_one, images_all;
    double image_flops;
} speed_0_1;

typedef struct data_opts_0_1 {
    size_t size;
    const char *split;
    double val_part;
    uint64_t seed;
    const char *val_dir;
} data_opts_0_1;

typedef struct store_info_0_1 {
    size_t size;
    uint64_t vectors, files;
    uint64_t bytes, max_bytes;
} store_info_0_1;

typedef struct train_opts_0_1 {
    size_t size;
    const char *recipe;
    const char *prepare;
    uint64_t seed;
    const char *class_weight;
    int epochs;
    int batch;
    const char *optimizer;
    double learning_rate;
    double momentum;
    double l2;
    double label_smoothing;
    double dropout;
    int fine_tune;
    const char *thaw;
    const char *batch_norm;
    const char *augment;
    const char *schedule;
    double layer_decay;
    double clip;
    int patience;
    const char *run_dir;
    int checkpoint_steps;
    int resume;
} train_opts_0_1;

typedef struct pixels_0_1 {
    size_t size;
    const uint8_t *rgb;
    int width_px, height_px;
    size_t row_bytes;
} pixels_0_1;

typedef struct report_opts_0_1 {
    size_t size;
    const char *date, *command, *model, *photos;
} report_opts_0_1;

typedef struct prediction_0_1 {
    size_t size;
    uint64_t index;
    const char *path;
    const char *why;
    const float *prob;
    int n;
    int code;
} prediction_0_1;

typedef struct class_score_0_1 {
    size_t size;
    double precision, recall, f1;
    uint64_t support;
} class_score_0_1;

typedef struct eval_photo_0_1 {
    size_t size;
    const char *path;
    int truth, guess;
    const float *prob;
} eval_photo_0_1;

/* Every struct and its last field: X(name, last). */
#define STRUCTS_0_1(X)                                                                             \
    X(err, msg)                                                                                    \
    X(progress, accuracy)                                                                          \
    X(config, stall_s)                                                                             \
    X(callbacks, progress_arg)                                                                     \
    X(backbone_entry, cached)                                                                      \
    X(backbone_opts, scaling)                                                                      \
    X(backbone_info, interpolation)                                                                \
    X(rate, median)                                                                                \
    X(speed, image_flops)                                                                          \
    X(data_opts, val_dir)                                                                          \
    X(store_info, max_bytes)                                                                       \
    X(train_opts, resume)                                                                          \
    X(pixels, row_bytes)                                                                           \
    X(report_opts, photos)                                                                         \
    X(prediction, code)                                                                            \
    X(class_score, support)                                                                        \
    X(eval_photo, prob)
#endif
