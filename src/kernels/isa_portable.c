#include "kernels/tables.h"
#include "kernels/vec_portable.h"

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

const hst_kernels hst_kernels_portable =
    HST_KERNELS_TABLE("portable", &rounded_bf16, &hst_products_int8_plain);
