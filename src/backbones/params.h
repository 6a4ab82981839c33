/* params.h - from the tensors of a file to the parameters of a graph: a list that says for every
 * parameter which tensor it is, and in which of these ways, alone or together:
 *
 *   copy         nothing is set
 *   slice        of a tensor that holds several (query, key and value), one
 *   place        of a parameter that holds several, one: the reverse of that
 *   permute      its axes in another order: [O][I][H][W] -> [H][W][I][O]; two are a transpose
 *   reverse      an axis told backwards (blue, green, red)
 *   interpolate  a table of positions for another grid
 *   add          to what the entries before gave; or subtract from it
 *   fill         there is no tensor, all its elements are one number */
#ifndef HST_BACKBONES_PARAMS_H
#define HST_BACKBONES_PARAMS_H
#include "formats/safetensors.h"
#include "nn/graph.h"

enum { HST_MAX_TENSOR_NAME = 128, HST_MAX_FILE_NAME = 3 * HST_MAX_TENSOR_NAME };

/* How a table of positions is made for another grid: bicubic over row and column, in double, as
 * those do it that the file comes from:
 *
 *   HST_GRID_ANTIALIAS  torch's interpolate(antialias=True), a = -0.5: timm, OpenCLIP, and
 *                       DINOv2's own networks with registers
 *   HST_GRID_PLAIN      torch's interpolate(size=), a = -0.75: transformers
 *   HST_GRID_OFFSET     interpolate(scale_factor=(n + 0.1) / m): DINOv2's own without
 *   HST_GRID_CORNERS    interpolate(align_corners=True): torchvision */
enum hst_grid_way { HST_GRID_ANTIALIAS, HST_GRID_PLAIN, HST_GRID_OFFSET, HST_GRID_CORNERS };
/* "antialias", ... by the enum; NULL ends them. */
extern const char *const hst_grid_way_names[];

typedef struct hst_cells {
    int rows, columns;
} hst_cells;

/* The tensor is a table [..][kept + side * side][C] of a square, the parameter [rows * columns][C]
 * of the cells `to`; what is kept in front (of tokens without a place) is left out. */
typedef struct hst_grid {
    int is; /* 1: it is such a table */
    int kept;
    enum hst_grid_way way;
    hst_cells to;
} hst_grid;

typedef struct hst_param_map {
    char ours[HST_MAX_TENSOR_NAME];
    char theirs[HST_MAX_FILE_NAME]; /* "": there is none, and all elements are value */
    float value;
    struct {
        int axis, part, of; /* the tensor's axis holds `of` parameters; 0: it holds one */
    } slice;
    struct {
        int axis, first, n; /* so many places of the parameter's axis are filled; 0: all */
    } into;
    int permutes, order[4]; /* 1: axis i is the tensor's axis order[i] */
    unsigned reversed;      /* bit i: axis i is told backwards */
    int squeezes;           /* 1: the tensor's axes of length 1 do not count */
    int rows, row;          /* that many rows of a tensor [..][rows][C] from `row` on; 0: all */
    int adds;               /* 1: is added to what is there; -1: subtracted from it */
    hst_grid grid;          /* together with no other way */
    /* Of files that are written (named.h): so many axes has the tensor; 0: the parameter's. Those
     * of length 1 that it has more are behind the others, or in front of them. */
    int axes, in_front;
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

/* The side of the square that a table of so many rows has behind those that are kept; 0: it is
 * none. */
int hst_grid_side(int64_t rows, int kept);
/* A table x[from.rows * from.columns][n] and one y[to.rows * to.columns][n]. */
typedef struct hst_resizing {
    enum hst_grid_way way;
    hst_cells from, to;
    size_t n;
} hst_resizing;
/* Fills y. HST_EMEM. (grid.c) */
HST_CHECK int hst_grid_resize(const hst_resizing *r, const float *x, float *y, hst_err *err);
#endif
