/* cam_grid.h - values at the positions of a feature map, spread over the cells of a grid. */
#ifndef HST_PREDICTION_CAM_GRID_H
#define HST_PREDICTION_CAM_GRID_H
#include "images/prepare.h"

/* What one view has to say. */
typedef struct hst_cam_view {
    const float *map; /* [h][w] */
    int w, h;
    hst_image_part part; /* of the photo that it shows */
} hst_cam_view;

/* Adds the view to out[h][w], which is the whole photo: between its positions it is interpolated,
 * outside of its part 0; where a cell holds several positions, the share of each in it counts. As
 * many cells as positions are the positions. The mean of what is added is the mean of the map.
 * Errors: HST_EMEM. */
HST_CHECK int hst_cam_view_add(const hst_cam_view *v, int w, int h, float *out, hst_err *err);
#endif
