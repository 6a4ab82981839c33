#include "hub/hub.h"
#include "base/file.h"
#include "base/mem.h"
#include "hub/download.h"
#include "hub/huggingface.h"
#include "hub/locator.h"
#include "hub/pip.h"
#include "hub/url_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int unknown(const char *name, hst_err *err)
{
    return hst_fail(err, HST_EARG,
                    "unknown backbone '%s': neither a file or folder here nor a name to fetch by "
                    "(headstart backbones list shows the short ones; also hf:org/name, keras:NAME, "
                    "torchvision:NAME, a TF Hub or Kaggle handle, https://...)",
                    name);
}

/* One place of a table's list, or of the user. HST_EARG: no such name. */
static int find_place(hst_ctx *ctx, const char *name, int fresh, hst_weight_file *f, hst_err *err)
{
    hst_locator *p = hst_alloc(1, sizeof *p, err);
    if (!p)
        return HST_EMEM;
    int rc = hst_locator_parse(ctx->hub, name, p, err);
    if (rc == 0)
        rc = unknown(name, err);
    else if (rc > 0)
        rc = p->kind == HST_HF ? hst_hf_find(ctx, p, fresh, f, err)
                               : hst_url_source_find(ctx, p, f, err);
    free(p);
    return rc;
}

/* 1 when the next place of a list is worth asking: this one has failed, not we. */
static int is_their_fault(int rc)
{
    return rc == HST_ENET || rc == HST_EHASH || rc == HST_EMODEL || rc == HST_EPROC;
}

/* What is here already, from whichever place of the list. */
static int find_here(const hst_ctx *ctx, const hst_catalog_entry *k, hst_weight_file *f,
                     hst_err *err)
{
    hst_ctx here = hst_ctx_offline(ctx);
    int rc = HST_ENET;
    for (int i = 0; k->sources[i] && is_their_fault(rc); i++) {
        hst_weight_file_clear(f);
        rc = find_place(&here, k->sources[i], 0, f, err);
    }
    return rc;
}

static int find_known(hst_ctx *ctx, const hst_catalog_entry *k, int fresh, hst_weight_file *f,
                      hst_err *err)
{
    hst_err why = {0};
    int rc = find_here(ctx, k, f, &why);
    if (rc && !is_their_fault(rc))
        return hst_fail(err, rc, "%s", why.msg);
    if (rc == 0)
        return 0;
    if (ctx->offline)
        return hst_download_allowed(ctx, k->name, err);
    hst_log(ctx, HST_LOG_INFO, "fetching backbone %s, licence %s", k->name, k->licence);
    for (int i = 0; k->sources[i]; i++) {
        hst_weight_file_clear(f);
        rc = find_place(ctx, k->sources[i], fresh, f, &why);
        if (rc == 0 || !is_their_fault(rc))
            break;
        if (k->sources[i + 1])
            hst_log(ctx, HST_LOG_WARN, "%s: %s; now trying %s, the same weights", k->sources[i],
                    why.msg, k->sources[i + 1]);
    }
    return rc ? hst_fail(err, rc, "%s", why.msg) : 0;
}

int hst_hub_fetch(hst_ctx *ctx, const char *name, int fresh, hst_weight_file *f, hst_err *err)
{
    const hst_catalog_entry *k = hst_catalog_find(name);
    if (!k)
        return find_place(ctx, name, fresh, f, err);
    return k->package ? hst_pip_find(ctx, k, f, err) : find_known(ctx, k, fresh, f, err);
}

static int package_cached(const hst_ctx *ctx, const hst_catalog_entry *k)
{
    char *path = hst_converted_path(ctx, k->member_sha256, NULL);
    int is = path && hst_is_file(path);
    free(path);
    return is;
}

static int place_cached(const hst_ctx *ctx, const char *name)
{
    hst_locator *p = hst_alloc(1, sizeof *p, NULL);
    int is = p && hst_locator_parse(ctx->hub, name, p, NULL) == 1 &&
             (p->kind == HST_HF ? hst_hf_cached(ctx, p) : hst_url_source_cached(ctx, p));
    free(p);
    return is;
}

int hst_hub_cached(const hst_ctx *ctx, const char *name)
{
    const hst_catalog_entry *k = hst_catalog_find(name);
    if (!k)
        return place_cached(ctx, name);
    int is = k->package && package_cached(ctx, k);
    for (int i = 0; k->sources[i] && !is; i++)
        is = place_cached(ctx, k->sources[i]);
    return is;
}

const hst_catalog_entry *hst_hub_known(const char *name)
{
    const hst_catalog_entry *k = hst_catalog_find(name);
    return k && strcmp(k->name, name) != 0 && access(name, F_OK) == 0 ? NULL : k;
}

int hst_hub_find(hst_ctx *ctx, const char *name, hst_weight_file *out, hst_err *err)
{
    hst_weight_file f = {0};
    int here = !hst_hub_known(name) && !hst_locator_has_scheme(name) && access(name, F_OK) == 0;
    int rc = here ? hst_converted_local(ctx, name, &f, err) : hst_hub_fetch(ctx, name, 0, &f, err);
    if (rc == 0)
        *out = f;
    else
        hst_weight_file_clear(&f);
    return rc;
}
