#include "hub/endpoints.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static const char public_hf[] = "https://huggingface.co",
                  public_kaggle[] = "https://www.kaggle.com";
enum { RETRY_MS = 1000, STALL_S = 30 };

/* Copies a text, which may be absent; 0 when there is no memory. */
static int copy(char **out, const char *text, hst_err *err)
{
    *out = text ? hst_strdup(text, err) : NULL;
    return !text || *out;
}

/* The same for the start of addresses, without the last slash. They are checked when used: one that
 * is wrong is in nobody's way before. */
static int copy_url(char **out, const char *url, hst_err *err)
{
    if (!copy(out, url, err))
        return 0;
    size_t n = *out ? strlen(*out) : 0;
    while (n && (*out)[n - 1] == '/')
        (*out)[--n] = 0;
    return 1;
}

hst_hub *hst_hub_new(const hst_config *c, hst_transport_fn *transport, hst_err *err)
{
    hst_hub *h = hst_alloc(1, sizeof *h, err);
    if (!h)
        return NULL;
    h->transport = transport;
    h->retry_ms = c->retry_ms > 0 ? c->retry_ms : RETRY_MS;
    h->stall_s = c->stall_s > 0 ? c->stall_s : STALL_S;
    if (copy_url(&h->hf_endpoint, c->hf_endpoint ? c->hf_endpoint : public_hf, err) &&
        copy_url(&h->kaggle_endpoint, c->kaggle_endpoint ? c->kaggle_endpoint : public_kaggle,
                 err) &&
        copy_url(&h->mirror, c->mirror, err) && copy(&h->hf_token, c->hf_token, err) &&
        copy(&h->hf_token_file, c->hf_token_file, err) && copy(&h->hf_cache, c->hf_cache, err) &&
        copy(&h->kaggle_user, c->kaggle_user, err) && copy(&h->kaggle_key, c->kaggle_key, err) &&
        copy(&h->kaggle_cache, c->kaggle_cache, err) &&
        copy(&h->tfhub_cache, c->tfhub_cache, err) && copy(&h->keras_home, c->keras_home, err) &&
        copy(&h->torch_home, c->torch_home, err) && copy(&h->http_proxy, c->http_proxy, err) &&
        copy(&h->https_proxy, c->https_proxy, err) && copy(&h->no_proxy, c->no_proxy, err) &&
        copy(&h->ca_file, c->ca_file, err))
        return h;
    hst_hub_free(h);
    return NULL;
}

void hst_hub_free(hst_hub *h)
{
    if (!h)
        return;
    char *texts[] = {h->hf_endpoint,     h->hf_token,    h->hf_token_file, h->hf_cache,
                     h->kaggle_endpoint, h->kaggle_user, h->kaggle_key,    h->kaggle_cache,
                     h->tfhub_cache,     h->keras_home,  h->torch_home,    h->mirror,
                     h->http_proxy,      h->https_proxy, h->no_proxy,      h->ca_file};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
    free(h);
}
