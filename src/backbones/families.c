#include "backbones/cnn.h"
#include "backbones/vit.h"

#include <string.h>

/* In the order in which a file of unknown weights is compared with them. */
static const hst_family *const families[] = {
    &hst_mobilenet_v2,
    &hst_mobilenet_v1,
    &hst_mobilenet_v3[0],
    &hst_mobilenet_v3[1],
    /* First the one that holds the layers of another: B0 and B1 those of Lite0 and Lite1, a deeper
     * one those of a shallower one. */
    &hst_efficientnet[0],
    &hst_efficientnet[1],
    &hst_efficientnet[2],
    &hst_efficientnet[3],
    &hst_efficientnet[4],
    &hst_efficientnet[5],
    &hst_efficientnet[6],
    &hst_efficientnet[7],
    &hst_efficientnet_v2[0],
    &hst_efficientnet_v2[1],
    &hst_efficientnet_v2[2],
    &hst_efficientnet_v2[3],
    &hst_efficientnet_v2[4],
    &hst_efficientnet_v2[5],
    &hst_efficientnet_v2[6],
    &hst_efficientnet_v2[7],
    &hst_efficientnet_lite[1],
    &hst_efficientnet_lite[0],
    &hst_efficientnet_lite[2],
    &hst_efficientnet_lite[3],
    &hst_efficientnet_lite[4],
    &hst_resnet[0],
    &hst_resnet[1],
    &hst_resnet[2],
    &hst_resnet[3],
    &hst_resnet[4],
    &hst_resnet[5],
    &hst_resnet[6],
    &hst_resnet[7],
    &hst_resnet[8],
    &hst_resnet[9],
    &hst_resnet[10],
    &hst_resnet[11],
    &hst_resnet[12],
    &hst_resnet[13],
    &hst_resnet[14],
    &hst_resnet[15],
    &hst_resnet[16],
    &hst_resnet[17],
    &hst_mobilenet_v4[0],
    &hst_mobilenet_v4[1],
    &hst_hgnet_v2[0],
    &hst_hgnet_v2[1],
    &hst_hgnet_v2[2],
    &hst_inception_v3,
    &hst_inception_resnet_v2,
    &hst_nasnet[0],
    &hst_nasnet[1],
    &hst_nasnet[2],
    &hst_nasnet[3],
    &hst_regnet_y[0],
    &hst_regnet_y[1],
    &hst_regnet_y[2],
    &hst_regnet_y[3],
    &hst_vit_families[0],
    &hst_vit_families[1],
    &hst_vit_families[2],
    &hst_vit_families[3],
    &hst_vit_families[4],
    &hst_vit_families[5],
    &hst_convnext[0],
    &hst_convnext[1],
    &hst_convnext[2],
    &hst_convnext[3],
    &hst_convnext[4],
    &hst_convnext[5],
    &hst_convnext[6],
};

const hst_family *hst_family_at(size_t i)
{
    return i < sizeof families / sizeof *families ? families[i] : NULL;
}

const hst_family *hst_family_find(const char *name)
{
    for (size_t i = 0; hst_family_at(i); i++)
        if (strcmp(families[i]->name, name) == 0)
            return families[i];
    return NULL;
}
