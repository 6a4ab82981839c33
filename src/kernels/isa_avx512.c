#include "kernels/tables.h"
#include "kernels/vec_avx512.h"

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

const hst_kernels hst_kernels_avx512 =
    HST_KERNELS_TABLE("avx512", &rounded_bf16, &hst_products_avx2int8);

const hst_kernels hst_kernels_avx512vnni =
    HST_KERNELS_TABLE("avx512vnni", &rounded_bf16, &hst_products_avx512vnni);

const hst_kernels hst_kernels_avx512bf16 =
    HST_KERNELS_TABLE("avx512bf16", &hst_products_avx512bf16, &hst_products_avx512vnni);

const hst_kernels hst_kernels_amx =
    HST_KERNELS_TABLE("amx", &hst_products_amx, &hst_products_amxint8);
