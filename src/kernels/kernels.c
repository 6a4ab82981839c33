#include "kernels/tables.h"

#include <string.h>

const char *const hst_precision_names[] = {[HST_PRECISION_FP32] = "fp32",
                                           [HST_PRECISION_BF16] = "bf16",
                                           [HST_PRECISION_INT8] = "int8",
                                           NULL};

int hst_precision_named(const char *name)
{
    for (int i = 0; hst_precision_names[i]; i++)
        if (strcmp(hst_precision_names[i], name) == 0)
            return i;
    return -1;
}

const hst_kernels *hst_kernels_best(void)
{
    const hst_kernels *best = NULL;
    for (const hst_kernels_choice *c = hst_kernels_present; c->table; c++)
        if (c->usable())
            best = c->table;
    return best;
}

const hst_kernels *hst_kernels_find(const char *name)
{
    for (const hst_kernels_choice *c = hst_kernels_present; c->table; c++)
        if (strcmp(c->table->name, name) == 0)
            return c->usable() ? c->table : NULL;
    return NULL;
}

const char *hst_kernels_name(int i, int *usable)
{
    const hst_kernels_choice *c = hst_kernels_present;
    for (; i > 0 && c->table; i--)
        c++;
    if (i < 0 || !c->table)
        return NULL;
    if (usable)
        *usable = c->usable();
    return c->table->name;
}

const char *hst_kernels_isa(const hst_kernels *k)
{
    return k->isa;
}

static size_t padded(const hst_kernels *kn, int n)
{
    return ((size_t)n + (size_t)kn->panel - 1) / (size_t)kn->panel * (size_t)kn->panel;
}

size_t hst_gemm_packed(const hst_kernels *kn, int k, int n)
{
    return padded(kn, n) * ((size_t)k + 1);
}

const float *hst_gemm_bias(const hst_kernels *kn, const float *packed, int k, int n)
{
    return packed + padded(kn, n) * (size_t)k;
}

enum { PACK_ROWS = 8 /* at a time: read nearly as they lie, written to one place */ };

/* n floats of a row, and zeros up to the panel's width. */
static void pack_piece(float *to, const float *from, size_t n, size_t panel)
{
    enum { FOUR = 4 };
    size_t j = 0;
    for (; j + FOUR <= n; j += FOUR)
        memcpy(to + j, from + j, FOUR * sizeof *to);
    for (; j < panel; j++)
        to[j] = j < n ? from[j] : 0;
}

const float *hst_gemm_pack(const hst_kernels *kn, const float *w, const float *bias, int k, int n,
                           float *out)
{
    const size_t panel = (size_t)kn->panel, cols = (size_t)n, end = padded(kn, n);
    for (size_t row = 0; row < (size_t)k; row += PACK_ROWS)
        for (size_t at = 0; at < end; at += panel) {
            const size_t there = cols - at < panel ? cols - at : panel;
            for (size_t r = row; r < row + PACK_ROWS && r < (size_t)k; r++)
                pack_piece(out + at * (size_t)k + r * panel, w + r * cols + at, there, panel);
        }
    out += end * (size_t)k;
    for (size_t j = 0; j < end; j++)
        out[j] = bias && j < cols ? bias[j] : 0;
    return out;
}

const float *hst_gemm_pack_transposed(const hst_kernels *kn, const float *w, int k, int n,
                                      float *out)
{
    const size_t panel = (size_t)kn->panel, rows = (size_t)k, cols = (size_t)n;
    const size_t end = padded(kn, k);
    for (size_t at = 0; at < end; at += panel, out += panel * cols)
        for (size_t j = 0; j < panel; j++)
            for (size_t col = 0; col < cols; col++)
                out[col * panel + j] = at + j < rows ? w[(at + j) * cols + col] : 0;
    memset(out, 0, end * sizeof *out);
    return out;
}
