#include "kernels/tables.h"
#include "kernels/vec_avx2.h"

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

const hst_kernels hst_kernels_avx2 =
    HST_KERNELS_TABLE("avx2", &rounded_bf16, &hst_products_avx2int8);

const hst_kernels hst_kernels_avx2vnni =
    HST_KERNELS_TABLE("avx2vnni", &rounded_bf16, &hst_products_avx2vnni);
