/* device_cpu_f32.c - the processor in float32: who runs which group. A further device (another data
 * type, an accelerator) is a further table; the planner does not change. */
#include "nn/infer/unit.h"
#include "nn/learn/step.h"

static const hst_device_row infer[] = {
    {&hst_pattern_inverted_residual, &hst_infer_inverted_residual_runner},
    {&hst_pattern_squeezed_residual, &hst_infer_squeezed_residual_runner},
    {&hst_pattern_pooled, &hst_infer_pooled_runner},
    {&hst_pattern_unit, &hst_infer_winograd_runner},
    {&hst_pattern_unit, &hst_infer_convolution_runner},
    {&hst_pattern_unit, &hst_infer_unit_runner},
    {&hst_pattern_elementwise, &hst_infer_unit_runner},
    {&hst_pattern_node, &hst_infer_unit_runner},
    {NULL, NULL},
};

static const hst_device_row learn[] = {
    {&hst_pattern_inverted_residual, &hst_learn_inverted_residual_runner},
    {&hst_pattern_pooled, &hst_learn_pooled_runner},
    {&hst_pattern_squeeze_excite, &hst_learn_squeeze_excite_runner},
    {&hst_pattern_conv_chain, &hst_learn_chain_runner},
    {&hst_pattern_node, &hst_learn_grouped_runner},
    {&hst_pattern_node, &hst_learn_norm_runner},
    {&hst_pattern_node, &hst_learn_node_runner},
    {NULL, NULL},
};

const hst_device hst_device_cpu_f32 = {"cpu float32", infer, learn};
