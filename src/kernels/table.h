/* table.h - the tables of one instruction set, behind the bodies in isa_<isa>.c: the first for
 * processors that have no more, others with further products. */
#define HST_KERNELS_TABLE(called, bf16, int8)                                                      \
    {                                                                                              \
        .isa = V_NAME, .name = (called),                                                           \
        .products = {[HST_PRECISION_BF16] = (bf16), [HST_PRECISION_INT8] = (int8)},                \
        .panel = 2 * V_N, .gemm = gemm, .depthwise = depthwise, .average = average,                \
        .activate = activate, .activate_rows = activate_rows, .scale_rows = scale_rows,            \
        .grad_gemm = grad_gemm, .grad_taps = grad_taps, .grad_pixels = grad_pixels,                \
        .grad_sum = grad_sum, .peak = peak, .read = read_all, .norm_map = norm_map,                \
        .norm_gate = norm_gate, .norm_back = norm_back, .norm_moments = norm_moments,              \
        .norm_products = norm_products, .winograd_in = winograd_in, .winograd_out = winograd_out,  \
        .resize_rows = resize_rows, .resize_pixels = resize_pixels, .layer_norm = layer_norm,      \
        .softmax = softmax, .layer_norm_back = layer_norm_back, .softmax_back = softmax_back,      \
        .grouped = grouped                                                                         \
    }
