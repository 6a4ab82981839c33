/* prepare.c - pixels -> the tensor a backbone wants. */
#include "images/prepare.h"

#include "base/mem.h"
#include "images/resize.h"

#include <stdlib.h>
#include <string.h>

static const char *const contract_names[] = {[HST_CONTRACT_PIL] = "pil", [HST_CONTRACT_TF] = "tf"};

const char *hst_contract_name(enum hst_contract c)
{
    return contract_names[c];
}

int hst_contract_parse(const char *name, enum hst_contract *out, hst_err *err)
{
    for (size_t i = 0; i < sizeof contract_names / sizeof *contract_names; i++)
        if (!strcmp(name, contract_names[i])) {
            *out = (enum hst_contract)i;
            return 0;
        }
    return hst_fail(err, HST_EARG, "unknown image preparation \"%s\"; it is \"pil\" or \"tf\"",
                    name);
}

static void normalise(const hst_norm *norm, float *pixel, size_t n)
{
    for (size_t i = 0; i < n; i++, pixel += 3)
        for (int c = 0; c < 3; c++)
            pixel[c] = (pixel[c] - norm->mean[c]) / norm->std[c];
}

static int resize_pil(const hst_resampling *r, float *out, hst_err *err)
{
    size_t n = (size_t)r->dw * (size_t)r->dh * 3;
    uint8_t *pixel = hst_alloc(n, 1, err);
    if (!pixel)
        return HST_EMEM;
    int rc = hst_resize_pil(r, pixel, err);
    for (size_t i = 0; i < n && rc == 0; i++)
        out[i] = pixel[i];
    free(pixel);
    return rc;
}

int hst_prepare(const hst_prep *p, const hst_image *img, float *out, hst_err *err)
{
    hst_resampling r = {img->rgb, img->w, img->h, 3, p->px, p->px};
    int rc =
        p->contract == HST_CONTRACT_TF ? hst_resize_tf(&r, out, err) : resize_pil(&r, out, err);
    if (rc == 0)
        normalise(&p->norm, out, (size_t)p->px * (size_t)p->px);
    return rc;
}

int hst_prepare_bytes(const hst_prep *p, const uint8_t *bytes, size_t n, float *out, hst_err *err)
{
    hst_image img = {0};
    int rc = hst_image_decode(bytes, n, p->contract, &img, err);
    if (rc == 0)
        rc = hst_prepare(p, &img, out, err);
    hst_image_clear(&img);
    return rc;
}
