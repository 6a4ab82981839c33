#include "exports/export.h"

/* clang-format off */
const hst_exporter *const hst_exporters[] = {
    &hst_exporter_c,
    &hst_exporter_hf,
    &hst_exporter_keras,
    &hst_exporter_onnx,
    &hst_exporter_savedmodel,
    &hst_exporter_tfjs,
    &hst_exporter_tflite,
    &hst_exporter_timm,
    &hst_exporter_torch,
    NULL,
};
/* clang-format on */

const char *hst_export_format(int i, const char **summary, const char **ending)
{
    for (int k = 0; hst_exporters[k]; k++)
        if (k == i) {
            if (summary)
                *summary = hst_exporters[k]->summary;
            if (ending)
                *ending = hst_exporters[k]->suffix;
            return hst_exporters[k]->name;
        }
    return NULL;
}
