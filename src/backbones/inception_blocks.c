/* inception_blocks.c - the tables of Inception v3 (Szegedy et al. 2015, arXiv 1512.00567) and
 * Inception-ResNet v2 (Szegedy et al. 2016, arXiv 1602.07261), and their layers' names in
 * torchvision and timm, and in TensorFlow's slim. */
#include "backbones/inception.h"

#include <string.h>

enum {
    B = HST_BEGINS,
    F = HST_FORKS,
    R = HST_REDUCES,
    V = HST_VALID,
    AVERAGE = HST_BEGINS | HST_AVERAGE,
    LARGEST = HST_LARGEST | HST_REDUCES
};

/* ---- Inception v3 ---- */

static const hst_branch_row stem[] = {{R, 3, 3, 32, "Conv2d_1a_3x3", "Conv2d_1a_3x3"},
                                      {V, 3, 3, 32, "Conv2d_2a_3x3", "Conv2d_2a_3x3"},
                                      {0, 3, 3, 64, "Conv2d_2b_3x3", "Conv2d_2b_3x3"},
                                      {LARGEST, 3, 3, 0, "", ""},
                                      {0, 1, 1, 80, "Conv2d_3b_1x1", "Conv2d_3b_1x1"},
                                      {V, 3, 3, 192, "Conv2d_4a_3x3", "Conv2d_4a_3x3"},
                                      {LARGEST, 3, 3, 0, "", ""}};
static const hst_branch_row block_a[] = {{B, 1, 1, 64, "branch1x1", "Branch_0/Conv2d_0a_1x1"},
                                         {B, 1, 1, 48, "branch5x5_1", "Branch_1/Conv2d_0a_1x1"},
                                         {0, 5, 5, 64, "branch5x5_2", "Branch_1/Conv2d_0b_5x5"},
                                         {B, 1, 1, 64, "branch3x3dbl_1", "Branch_2/Conv2d_0a_1x1"},
                                         {0, 3, 3, 96, "branch3x3dbl_2", "Branch_2/Conv2d_0b_3x3"},
                                         {0, 3, 3, 96, "branch3x3dbl_3", "Branch_2/Conv2d_0c_3x3"},
                                         {AVERAGE, 3, 3, 0, "", ""},
                                         {0, 1, 1, 0, "branch_pool", "Branch_3/Conv2d_0b_1x1"}};
static const hst_branch_row block_b[] = {{B | R, 3, 3, 384, "branch3x3", "Branch_0/Conv2d_1a_1x1"},
                                         {B, 1, 1, 64, "branch3x3dbl_1", "Branch_1/Conv2d_0a_1x1"},
                                         {0, 3, 3, 96, "branch3x3dbl_2", "Branch_1/Conv2d_0b_3x3"},
                                         {R, 3, 3, 96, "branch3x3dbl_3", "Branch_1/Conv2d_1a_1x1"},
                                         {B | LARGEST, 3, 3, 0, "", ""}};
static const hst_branch_row block_c[] = {{B, 1, 1, 192, "branch1x1", "Branch_0/Conv2d_0a_1x1"},
                                         {B, 1, 1, 0, "branch7x7_1", "Branch_1/Conv2d_0a_1x1"},
                                         {0, 1, 7, 0, "branch7x7_2", "Branch_1/Conv2d_0b_1x7"},
                                         {0, 7, 1, 192, "branch7x7_3", "Branch_1/Conv2d_0c_7x1"},
                                         {B, 1, 1, 0, "branch7x7dbl_1", "Branch_2/Conv2d_0a_1x1"},
                                         {0, 7, 1, 0, "branch7x7dbl_2", "Branch_2/Conv2d_0b_7x1"},
                                         {0, 1, 7, 0, "branch7x7dbl_3", "Branch_2/Conv2d_0c_1x7"},
                                         {0, 7, 1, 0, "branch7x7dbl_4", "Branch_2/Conv2d_0d_7x1"},
                                         {0, 1, 7, 192, "branch7x7dbl_5", "Branch_2/Conv2d_0e_1x7"},
                                         {AVERAGE, 3, 3, 0, "", ""},
                                         {0, 1, 1, 192, "branch_pool", "Branch_3/Conv2d_0b_1x1"}};
static const hst_branch_row block_d[] = {{B, 1, 1, 192, "branch3x3_1", "Branch_0/Conv2d_0a_1x1"},
                                         {R, 3, 3, 320, "branch3x3_2", "Branch_0/Conv2d_1a_3x3"},
                                         {B, 1, 1, 192, "branch7x7x3_1", "Branch_1/Conv2d_0a_1x1"},
                                         {0, 1, 7, 192, "branch7x7x3_2", "Branch_1/Conv2d_0b_1x7"},
                                         {0, 7, 1, 192, "branch7x7x3_3", "Branch_1/Conv2d_0c_7x1"},
                                         {R, 3, 3, 192, "branch7x7x3_4", "Branch_1/Conv2d_1a_3x3"},
                                         {B | LARGEST, 3, 3, 0, "", ""}};
/* Slim calls one layer of the first and of the second such block differently. */
#define BLOCK_E(slim_of_2b)                                                                        \
    {                                                                                              \
        {B, 1, 1, 320, "branch1x1", "Branch_0/Conv2d_0a_1x1"},                                     \
            {B, 1, 1, 384, "branch3x3_1", "Branch_1/Conv2d_0a_1x1"},                               \
            {0, 1, 3, 384, "branch3x3_2a", "Branch_1/Conv2d_0b_1x3"},                              \
            {F, 3, 1, 384, "branch3x3_2b", "Branch_1/" slim_of_2b},                                \
            {B, 1, 1, 448, "branch3x3dbl_1", "Branch_2/Conv2d_0a_1x1"},                            \
            {0, 3, 3, 384, "branch3x3dbl_2", "Branch_2/Conv2d_0b_3x3"},                            \
            {0, 1, 3, 384, "branch3x3dbl_3a", "Branch_2/Conv2d_0c_1x3"},                           \
            {F, 3, 1, 384, "branch3x3dbl_3b", "Branch_2/Conv2d_0d_3x1"},                           \
            {AVERAGE, 3, 3, 0, "", ""}, {0, 1, 1, 192, "branch_pool", "Branch_3/Conv2d_0b_1x1"},   \
    }
static const hst_branch_row block_7b[] = BLOCK_E("Conv2d_0b_3x1");
static const hst_branch_row block_7c[] = BLOCK_E("Conv2d_0c_3x1");

#define ROWS(r) r, sizeof r / sizeof *r
#define MIXED(place, rows, wide_)                                                                  \
    {                                                                                              \
        .name = "mixed_" place, ROWS(rows), .wide = wide_, .torch = "Mixed_" place ".",            \
        .slim = "Mixed_" place "/"                                                                 \
    }

static const hst_branches v3[] = {{.name = "stem", ROWS(stem), .torch = "", .slim = ""},
                                  MIXED("5b", block_a, 32),
                                  MIXED("5c", block_a, 64),
                                  MIXED("5d", block_a, 64),
                                  MIXED("6a", block_b, 0),
                                  MIXED("6b", block_c, 128),
                                  MIXED("6c", block_c, 160),
                                  MIXED("6d", block_c, 160),
                                  MIXED("6e", block_c, 192),
                                  MIXED("7a", block_d, 0),
                                  MIXED("7b", block_7b, 0),
                                  MIXED("7c", block_7c, 0),
                                  {.rows = NULL}};

/* ---- Inception-ResNet v2 ---- */

static const hst_branch_row stem_r[] = {{R, 3, 3, 32, "conv2d_1a", "Conv2d_1a_3x3"},
                                        {V, 3, 3, 32, "conv2d_2a", "Conv2d_2a_3x3"},
                                        {0, 3, 3, 64, "conv2d_2b", "Conv2d_2b_3x3"},
                                        {LARGEST, 3, 3, 0, "", ""},
                                        {0, 1, 1, 80, "conv2d_3b", "Conv2d_3b_1x1"},
                                        {V, 3, 3, 192, "conv2d_4a", "Conv2d_4a_3x3"},
                                        {LARGEST, 3, 3, 0, "", ""}};
static const hst_branch_row mixed_5b[] = {{B, 1, 1, 96, "branch0", "Branch_0/Conv2d_1x1"},
                                          {B, 1, 1, 48, "branch1.0", "Branch_1/Conv2d_0a_1x1"},
                                          {0, 5, 5, 64, "branch1.1", "Branch_1/Conv2d_0b_5x5"},
                                          {B, 1, 1, 64, "branch2.0", "Branch_2/Conv2d_0a_1x1"},
                                          {0, 3, 3, 96, "branch2.1", "Branch_2/Conv2d_0b_3x3"},
                                          {0, 3, 3, 96, "branch2.2", "Branch_2/Conv2d_0c_3x3"},
                                          {AVERAGE, 3, 3, 0, "", ""},
                                          {0, 1, 1, 64, "branch3.1", "Branch_3/Conv2d_0b_1x1"}};
static const hst_branch_row block35[] = {{B, 1, 1, 32, "branch0", "Branch_0/Conv2d_1x1"},
                                         {B, 1, 1, 32, "branch1.0", "Branch_1/Conv2d_0a_1x1"},
                                         {0, 3, 3, 32, "branch1.1", "Branch_1/Conv2d_0b_3x3"},
                                         {B, 1, 1, 32, "branch2.0", "Branch_2/Conv2d_0a_1x1"},
                                         {0, 3, 3, 48, "branch2.1", "Branch_2/Conv2d_0b_3x3"},
                                         {0, 3, 3, 64, "branch2.2", "Branch_2/Conv2d_0c_3x3"}};
static const hst_branch_row mixed_6a[] = {{B | R, 3, 3, 384, "branch0", "Branch_0/Conv2d_1a_3x3"},
                                          {B, 1, 1, 256, "branch1.0", "Branch_1/Conv2d_0a_1x1"},
                                          {0, 3, 3, 256, "branch1.1", "Branch_1/Conv2d_0b_3x3"},
                                          {R, 3, 3, 384, "branch1.2", "Branch_1/Conv2d_1a_3x3"},
                                          {B | LARGEST, 3, 3, 0, "", ""}};
static const hst_branch_row block17[] = {{B, 1, 1, 192, "branch0", "Branch_0/Conv2d_1x1"},
                                         {B, 1, 1, 128, "branch1.0", "Branch_1/Conv2d_0a_1x1"},
                                         {0, 1, 7, 160, "branch1.1", "Branch_1/Conv2d_0b_1x7"},
                                         {0, 7, 1, 192, "branch1.2", "Branch_1/Conv2d_0c_7x1"}};
static const hst_branch_row mixed_7a[] = {{B, 1, 1, 256, "branch0.0", "Branch_0/Conv2d_0a_1x1"},
                                          {R, 3, 3, 384, "branch0.1", "Branch_0/Conv2d_1a_3x3"},
                                          {B, 1, 1, 256, "branch1.0", "Branch_1/Conv2d_0a_1x1"},
                                          {R, 3, 3, 288, "branch1.1", "Branch_1/Conv2d_1a_3x3"},
                                          {B, 1, 1, 256, "branch2.0", "Branch_2/Conv2d_0a_1x1"},
                                          {0, 3, 3, 288, "branch2.1", "Branch_2/Conv2d_0b_3x3"},
                                          {R, 3, 3, 320, "branch2.2", "Branch_2/Conv2d_1a_3x3"},
                                          {B | LARGEST, 3, 3, 0, "", ""}};
static const hst_branch_row block8[] = {{B, 1, 1, 192, "branch0", "Branch_0/Conv2d_1x1"},
                                        {B, 1, 1, 192, "branch1.0", "Branch_1/Conv2d_0a_1x1"},
                                        {0, 1, 3, 224, "branch1.1", "Branch_1/Conv2d_0b_1x3"},
                                        {0, 3, 1, 256, "branch1.2", "Branch_1/Conv2d_0c_3x1"}};
static const hst_branch_row top_r[] = {{0, 1, 1, 1536, "conv2d_7b", "Conv2d_7b_1x1"}};

#define MIXED_R(place)                                                                             \
    {                                                                                              \
        .name = "mixed_" #place, ROWS(mixed_##place), .torch = "mixed_" #place ".",                \
        .slim = "Mixed_" #place "/"                                                                \
    }
static const hst_branches resnet_v2[] = {{.name = "stem", ROWS(stem_r), .torch = "", .slim = ""},
                                         MIXED_R(5b),
                                         {.name = "block35",
                                          ROWS(block35),
                                          .repeats = 10,
                                          .times = 0.17,
                                          .torch = "repeat.",
                                          .slim = "Repeat/block35_"},
                                         MIXED_R(6a),
                                         {.name = "block17",
                                          ROWS(block17),
                                          .repeats = 20,
                                          .times = 0.1,
                                          .torch = "repeat_1.",
                                          .slim = "Repeat_1/block17_"},
                                         MIXED_R(7a),
                                         {.name = "block8",
                                          ROWS(block8),
                                          .repeats = 9,
                                          .times = 0.2,
                                          .torch = "repeat_2.",
                                          .slim = "Repeat_2/block8_"},
                                         {.name = "block8_10",
                                          ROWS(block8),
                                          .times = 1,
                                          .linear = 1,
                                          .torch = "block8.",
                                          .slim = "Block8/"},
                                         {.name = "top", ROWS(top_r), .torch = "", .slim = ""},
                                         {.rows = NULL}};

const hst_inception hst_inception_nets[2] = {{"inception_v3", v3, 1},
                                             {"inception_resnet_v2", resnet_v2, 0}};

const hst_inception *hst_inception_of(const char *family)
{
    return &hst_inception_nets[strcmp(family, hst_inception_nets[0].family) != 0];
}

const hst_branches *hst_inception_block(const hst_inception *n, const hst_layer *l,
                                        const hst_branch_row **row)
{
    const hst_branches *b = &n->block[l->stage];
    *row = l->place < b->n_rows ? &b->rows[l->place] : NULL;
    return b;
}
