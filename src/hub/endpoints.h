/* endpoints.h - where the hubs are, who the user is to them, and the caches other programs keep.
 * Made from the configuration by hst_open; immutable. */
#ifndef HST_HUB_ENDPOINTS_H
#define HST_HUB_ENDPOINTS_H
#include "hub/transport.h"

typedef struct hst_hub {
    char *hf_endpoint, *hf_token, *hf_token_file, *hf_cache;
    char *kaggle_endpoint, *kaggle_user, *kaggle_key, *kaggle_cache;
    char *tfhub_cache, *keras_home, *torch_home;
    char *mirror, *http_proxy, *https_proxy, *no_proxy, *ca_file;
    int retry_ms, stall_s;
    hst_transport_fn *transport;
} hst_hub;

HST_CHECK hst_hub *hst_hub_new(const hst_config *c, hst_transport_fn *transport, hst_err *err);
void hst_hub_free(hst_hub *h);
#endif
