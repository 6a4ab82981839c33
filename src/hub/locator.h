/* locator.h - the names that lead to a hub, and what each of them means.
 *
 *   hf:org/name[/path][@revision]    Hugging Face; timm/name is hf:timm/name
 *   keras:NAME                       a file of Keras Applications
 *   torchvision:NAME[.V1|.V2]        a file of torchvision
 *   https://tfhub.dev/...            TF Hub; also the bare handle publisher/model/.../version
 *   owner/model/framework/variation[/version]       Kaggle Models; also its https address
 *   https://...                      any other file */
#ifndef HST_HUB_LOCATOR_H
#define HST_HUB_LOCATOR_H
#include "hub/digest.h"
#include "hub/endpoints.h"
#include "hub/url.h"

enum hst_hub_kind {
    HST_HF = 1,
    HST_KERAS,
    HST_TORCHVISION,
    HST_TFHUB,
    HST_KAGGLE,
    HST_WEB,
    HST_HERE
};

typedef struct hst_locator {
    enum hst_hub_kind kind;
    char name[HST_URL_MAX]; /* written in the one way that records are kept under */
    char url[HST_URL_MAX];  /* not for hf; of HST_HERE a path */
    char file[512];         /* its name; hf: the path in the repository, "" for the usual ones */
    char repo[200], revision[200]; /* hf; kaggle: repo "owner/model/framework/variation", revision
                                      the version or "" */
    char elsewhere[64 + 512]; /* where other programs keep it, below their folder; "": nowhere */
    uint64_t bytes;           /* 0: unknown */
    hst_hashes known;
} hst_locator;

/* 1: text is such a name; 0: it is none; HST_EARG: it is meant to be one and is wrong. hub: may be
 * NULL. */
HST_CHECK int hst_locator_parse(const hst_hub *hub, const char *text, hst_locator *out,
                                hst_err *err);
/* 1 when text looks like no path can: scheme:... */
int hst_locator_has_scheme(const char *text);
#endif
