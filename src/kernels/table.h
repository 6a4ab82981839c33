/* table.h - the table of one instruction set, behind the bodies in isa_<isa>.c. */
#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)

const hst_kernels JOIN(hst_kernels_, V_ISA) = {
    .isa = V_NAME,
    .panel = 2 * V_N,
    .gemm = gemm,
    .depthwise = depthwise,
    .average = average,
    .activate = activate,
    .grad_gemm = grad_gemm,
    .grad_taps = grad_taps,
    .grad_pixels = grad_pixels,
    .grad_sum = grad_sum,
    .peak = peak,
    .read = read_all,
    .norm_map = norm_map,
    .norm_gate = norm_gate,
    .norm_back = norm_back,
    .norm_moments = norm_moments,
    .norm_products = norm_products,
    .resize_rows = resize_rows,
    .resize_pixels = resize_pixels,
};
