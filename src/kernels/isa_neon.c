#include "kernels/tables.h"
#include "kernels/vec_neon.h"

#include "kernels/contract.h"

#include "kernels/gemm_body.h"

#include "kernels/rounded_body.h"

#include "kernels/depthwise_body.h"

#include "kernels/grouped_body.h"

#include "kernels/grad_gemm_body.h"

#include "kernels/grad_depthwise_body.h"

#include "kernels/activation_body.h"

#include "kernels/norm_body.h"

#include "kernels/token_body.h"

#include "kernels/resize_body.h"

#include "kernels/winograd_body.h"

#include "kernels/peak_body.h"

#include "kernels/table.h"

const hst_kernels hst_kernels_neon =
    HST_KERNELS_TABLE("neon", &rounded_bf16, &hst_products_int8_plain);

const hst_kernels hst_kernels_neondot =
    HST_KERNELS_TABLE("neondot", &rounded_bf16, &hst_products_neondot);

const hst_kernels hst_kernels_neonbf16 =
    HST_KERNELS_TABLE("neonbf16", &hst_products_neonbf16, &hst_products_neondot);
