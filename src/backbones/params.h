/* params.h - from the tensors of a file to the parameters of a graph: a list that says for every
 * parameter which tensor it is, and in which of these ways, alone or together:
 *
 *   copy         nothing is set
 *   slice        of a tensor that holds several (query, key and value), one
 *   permute      its axes in another order: [O][I][H][W] -> [H][W][I][O]; two are a transpose
 *   reverse      an axis told backwards (blue, green, red)
 *   interpolate  a table of positions for another grid
 *   subtract     from what the entries before gave
 *   fill         there is no tensor, all its elements are one number */
#ifndef HST_BACKBONES_PARAMS_H
#define HST_BACKBONES_PARAMS_H
#include "formats/safetensors.h"
#include "nn/graph.h"

enum { HST_MAX_TENSOR_NAME = 128, HST_MAX_FILE_NAME = 3 * HST_MAX_TENSOR_NAME };

/* A table [..][kept + rows * columns][C] of a square grid becomes one of a grid of another size;
 * the kept tokens in front (that of the class) stay. Bicubic over row and column, in double, as
 * those do it that the file comes from:
 *
 *   antialias 1               torch's interpolate(antialias=True), a = -0.5: timm, and DINOv2's
 *                             own networks with registers
 *   antialias 0               torch's interpolate(size=), a = -0.75: transformers
 *   antialias 0, offset 0.1   interpolate(scale_factor=(n + 0.1) / m): DINOv2's own without */
typedef struct hst_grid {
    int is; /* 1: it is such a table */
    int kept, antialias;
    double offset;
} hst_grid;

typedef struct hst_param_map {
    char ours[HST_MAX_TENSOR_NAME];
    char theirs[HST_MAX_FILE_NAME]; /* "": there is none, and all elements are value */
    float value;
    struct {
        int axis, part, of; /* the tensor's axis holds `of` parameters; 0: it holds one */
    } slice;
    int permutes, order[4]; /* 1: axis i is the tensor's axis order[i] */
    unsigned reversed;      /* bit i: axis i is told backwards */
    int subtracts;
    hst_grid grid; /* together with no other way */
} hst_param_map;

typedef struct hst_param_maps {
    hst_param_map *map;
    size_t n, cap;
} hst_param_maps;

/* Adds an entry, zero but for its names; NULL and HST_EMEM. */
HST_CHECK hst_param_map *hst_param_maps_add(hst_param_maps *l, const char *ours, const char *theirs,
                                            hst_err *err);
void hst_param_maps_free(hst_param_maps *l);

/* Fills one parameter; used[tensors]: 1 is put down for the tensor. HST_EMODEL: it is missing, has
 * another shape, or holds what no network can. */
HST_CHECK int hst_param_import(const hst_tensors *t, const hst_param_map *m, const hst_param *p,
                               char *used, hst_err *err);
/* Fills all of g's parameters. HST_EMODEL also: the list leaves one out. */
HST_CHECK int hst_params_import(const hst_tensors *t, const hst_param_maps *l, const hst_graph *g,
                                char *used, hst_err *err);
/* Fills them from tensors in our own names, with prefix in front, and our own layout. */
HST_CHECK int hst_params_read(const hst_tensors *t, const char *prefix, const hst_graph *g,
                              hst_err *err);

/* from[m * m][n] -> to[g * g][n]. HST_EMEM. (grid.c) */
HST_CHECK int hst_grid_resize(const hst_grid *how, const float *from, int m, float *to, int g,
                              size_t n, hst_err *err);
#endif
