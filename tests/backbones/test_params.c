/* From tensors to parameters: every way of params.h against plain loops over the file's numbers,
 * tables of positions against other libraries, and lists that are wrong. */
#include "made_up.h"
#include "support.h"

#include "backbones/recognise.h"
#include "base/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { D = 6, SIDE = 5 };

/* The number at place i of every tensor here. */
static float number(int i)
{
    return (float)(i * 37 % 64) / 16 - 2;
}

enum { N_NUMBERS = 4096 };
static float numbers[N_NUMBERS];

static hst_tensors *file_with(const hst_tensor *x, size_t n)
{
    hst_err err = {0};
    char *dir = temporary_folder(), *path = hst_path_join(dir, "x.safetensors", &err);
    check_ok(hst_tensors_write(path, x, n, NULL, 0, &err), &err);
    hst_tensors *t = hst_tensors_read(path, &err);
    check_ok(t == NULL, &err);
    remove_tree(dir);
    free(path);
    free(dir);
    return t;
}

/* A file of one tensor "x". */
static hst_tensors *file_of(int n_dims, const int *dim)
{
    hst_tensor x = {.name = "x", .dtype = HST_F32, .n_dims = n_dims, .data = numbers, .n_bytes = 4};
    for (int i = 0; i < n_dims; i++)
        x.n_bytes *= (size_t)(x.dim[i] = dim[i]);
    return file_with(&x, 1);
}

/* Fills p, of those dimensions, from a file of one tensor. */
static int import(const hst_param_map *m, const int file[4], int n_dims, hst_param *p, hst_err *err)
{
    char used[1] = {0};
    hst_tensors *t = file_of(n_dims, file);
    int rc = hst_param_import(t, m, p, used, err);
    assert_int_equal(used[0], rc == 0 && *m->theirs);
    hst_tensors_free(t);
    return rc;
}

#define PARAM(to, ...)                                                                             \
    {                                                                                              \
        .name = "p/kernel", .data = to, .dim = {__VA_ARGS__},                                      \
        .n_dims = sizeof((int[]){__VA_ARGS__}) / sizeof(int)                                       \
    }

static void a_copy_is_the_tensor(void **state)
{
    (void)state;
    hst_err err = {0};
    float got[24];
    hst_param p = PARAM(got, 2, 3, 4);
    check_ok(import(&(hst_param_map){.theirs = "x"}, (int[4]){2, 3, 4}, 3, &p, &err), &err);
    assert_memory_equal(got, numbers, sizeof got);
}

static void a_transpose_exchanges_rows_and_columns(void **state)
{
    (void)state;
    hst_err err = {0};
    float got[12];
    hst_param p = PARAM(got, 4, 3);
    const hst_param_map m = {.theirs = "x", .permutes = 1, .order = {1, 0}};
    check_ok(import(&m, (int[4]){3, 4}, 2, &p, &err), &err);
    for (int i = 0; i < 4; i++)
        for (int o = 0; o < 3; o++)
            assert_true(got[i * 3 + o] == number(o * 4 + i));
}

static void a_permutation_is_of_axes(void **state)
{
    (void)state;
    hst_err err = {0};
    float got[2 * 3 * 4 * 5];
    hst_param p = PARAM(got, 4, 5, 3, 2); /* [O][I][H][W] -> [H][W][I][O] */
    hst_param_map m = {.theirs = "x", .permutes = 1, .order = {2, 3, 1, 0}};
    for (int reversed = 0; reversed < 2; reversed++) {
        m.reversed = reversed ? 1u << 2 | 1u << 0 : 0; /* I and H */
        check_ok(import(&m, (int[4]){2, 3, 4, 5}, 4, &p, &err), &err);
        for (int at = 0; at < 2 * 3 * 4 * 5; at++) {
            const int o = at % 2, i = at / 2 % 3, w = at / 6 % 5, h = at / 30;
            const int from_i = reversed ? 2 - i : i, from_h = reversed ? 3 - h : h;
            assert_true(got[at] == number(((o * 3 + from_i) * 4 + from_h) * 5 + w));
        }
    }
}

/* Query, key and value in one matrix [3 D][D] and one bias [3 D]; ours are [D in][D out]. */
static void a_fused_matrix_is_cut(void **state)
{
    (void)state;
    hst_err err = {0};
    float got[D * D], bias[D];
    hst_param p = PARAM(got, D, D), b = PARAM(bias, D);
    for (int part = 0; part < 3; part++) {
        hst_param_map m = {.theirs = "x", .slice = {0, part, 3}, .permutes = 1, .order = {1, 0}};
        check_ok(import(&m, (int[4]){3 * D, D}, 2, &p, &err), &err);
        for (int in = 0; in < D; in++)
            for (int out = 0; out < D; out++)
                assert_true(got[in * D + out] == number((part * D + out) * D + in));
        m.permutes = 0;
        check_ok(import(&m, (int[4]){3 * D}, 1, &b, &err), &err);
        assert_memory_equal(bias, numbers + part * D, sizeof bias);
        m.slice.axis = 1; /* of columns */
        check_ok(import(&m, (int[4]){D, 3 * D}, 2, &p, &err), &err);
        for (int row = 0; row < D; row++)
            assert_memory_equal(got + row * D, numbers + (row * 3 + part) * D, D * sizeof *got);
    }
}

static void a_parameter_is_filled_and_subtracted_from(void **state)
{
    (void)state;
    hst_err err = {0};
    float got[5];
    hst_param p = PARAM(got, 5);
    check_ok(import(&(hst_param_map){.value = 0.75f}, (int[4]){5}, 1, &p, &err), &err);
    assert_true(got[0] == 0.75f && got[4] == 0.75f);
    check_ok(import(&(hst_param_map){.theirs = "x", .adds = -1}, (int[4]){5}, 1, &p, &err), &err);
    for (int i = 0; i < 5; i++)
        assert_true(got[i] == 0.75f - number(i));
}

/* In the order of golden_grids.py. */
static const enum hst_grid_way ways[] = {HST_GRID_ANTIALIAS, HST_GRID_PLAIN, HST_GRID_OFFSET,
                                         HST_GRID_CORNERS};
enum { N_WAYS = sizeof ways / sizeof *ways };
static const hst_cells grids[] = {{3, 3}, {7, 7}, {3, 7}, {8, 4}};
enum { N_GRIDS = sizeof grids / sizeof *grids, CELLS = 9 + 49 + 21 + 32 };

static hst_resizing resizing(enum hst_grid_way way, hst_cells to, size_t n)
{
    return (hst_resizing){way, {SIDE, SIDE}, to, n};
}

/* The reference has the scale in float32: up to 8 positions away, where the numbers change by 3
 * from one to the next, that is 8 * 6e-8 * 3 and what its sums round. The next way is off by
 * hundredths.
 */
static void a_table_of_positions_is_that_of_other_libraries(void **state)
{
    (void)state;
    hst_err err = {0};
    const char *root = getenv("HEADSTART_ROOT");
    char *path = hst_path_join(root ? root : ".", "tests/golden/families/grids.npy", &err);
    npy want = npy_read(path);
    const float *next = want.data;
    assert_int_equal(want.count, N_WAYS * CELLS);
    for (int way = 0; way < N_WAYS; way++)
        for (int i = 0; i < N_GRIDS; i++) {
            float got[64];
            const hst_resizing r = resizing(ways[way], grids[i], 1);
            const int cells = grids[i].rows * grids[i].columns;
            check_ok(hst_grid_resize(&r, numbers, got, &err), &err);
            check_close(got, next, (size_t)cells, 5e-6, 0, "a table of positions");
            next += cells;
        }
    free(want.data);
    free(path);
}

/* Two channels, a token in front without a place, and the table inside of a tensor [1][tokens][2].
 */
static void what_is_kept_is_no_part_of_the_table(void **state)
{
    (void)state;
    hst_err err = {0};
    float got[6 * 2], one[2][SIDE * SIDE], want[2][6], front[2];
    hst_param p = PARAM(got, 6, 2), token = PARAM(front, 1, 2);
    const int file[4] = {1, 1 + SIDE * SIDE, 2};
    for (int way = 0; way < N_WAYS; way++) {
        const hst_param_map m = {.theirs = "x", .grid = {1, 1, ways[way], {3, 2}}};
        const hst_resizing r = resizing(ways[way], (hst_cells){3, 2}, 1);
        check_ok(import(&m, file, 3, &p, &err), &err);
        for (int c = 0; c < 2; c++) {
            for (int i = 0; i < SIDE * SIDE; i++)
                one[c][i] = number(2 + 2 * i + c);
            check_ok(hst_grid_resize(&r, one[c], want[c], &err), &err);
            for (int i = 0; i < 6; i++)
                assert_true(got[2 * i + c] == want[c][i]);
        }
        hst_param same = PARAM(one[0], 9, 2); /* of the same size it is a copy */
        const hst_param_map copy = {.theirs = "x", .grid = {1, 1, ways[way], {3, 3}}};
        check_ok(import(&copy, (int[4]){1, 1 + 9, 2}, 3, &same, &err), &err);
        assert_memory_equal(one[0], numbers + 2, 18 * sizeof(float));
    }
    const hst_param_map first = {.theirs = "x", .rows = 1}; /* and that token alone */
    check_ok(import(&first, file, 3, &token, &err), &err);
    assert_true(front[0] == number(0) && front[1] == number(1));
}

/* Query and value beside each other in one parameter, the key between them zero. */
static void a_parameter_is_put_together(void **state)
{
    (void)state;
    hst_err err = {0};
    float got[2 * 9] = {0}, bias[4] = {1, 1, 1, 1}; /* a graph's are zeroed, too */
    hst_param p = PARAM(got, 1, 1, 2, 9), b = PARAM(bias, 4);
    for (int part = 0; part < 3; part++) {
        hst_param_map m = {.theirs = "x", .into = {3, 3 * part, 3}, .permutes = 1};
        m.squeezes = 1; /* the file has [O][I] */
        memcpy(m.order, (int[4]){2, 3, 1, 0}, sizeof m.order);
        m.theirs[0] = part == 1 ? 0 : 'x';
        check_ok(import(&m, (int[4]){3, 2}, 2, &p, &err), &err);
    }
    for (int in = 0; in < 2; in++)
        for (int out = 0; out < 9; out++)
            assert_true(got[in * 9 + out] == (out / 3 == 1 ? 0 : number(out % 3 * 2 + in)));
    const hst_param_map sum = {.theirs = "x", .into = {0, 1, 2}, .adds = 1};
    check_ok(import(&sum, (int[4]){2}, 1, &b, &err), &err);
    assert_true(bias[0] == 1 && bias[1] == 1 + number(0) && bias[2] == 1 + number(1) &&
                bias[3] == 1);
}

static void refused(const hst_param_map *m, const int file[4], int n_dims, hst_param *p,
                    const char *why)
{
    hst_err err = {0};
    assert_int_equal(import(m, file, n_dims, p, &err), HST_EMODEL);
    if (!strstr(err.msg, why))
        fail_msg("got '%s', want '%s'", err.msg, why);
}

static void tensors_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    float got[64];
    hst_param p = PARAM(got, 4, 3), table = PARAM(got, 9, 2);
    hst_param_map m = {.theirs = "y"};
    refused(&m, (int[4]){4, 3}, 2, &p, "tensor 'y' [4, 3] is missing");
    strcpy(m.theirs, "x");
    refused(&m, (int[4]){3, 4}, 2, &p, "tensor 'x' has shape [3, 4], expected [4, 3]");
    refused(&m, (int[4]){4, 3, 1}, 3, &p, "[4, 3, 1], expected [4, 3]");
    m.permutes = 1;
    m.order[0] = 1;
    refused(&m, (int[4]){4, 3}, 2, &p, "expected [3, 4]");
    m.slice.of = 3;
    refused(&m, (int[4]){3, 4}, 2, &p, "expected [9, 4]");
    m = (hst_param_map){.theirs = "x", .squeezes = 1};
    refused(&m, (int[4]){3, 4}, 2, &p, "expected [4, 3]");
    m = (hst_param_map){.theirs = "x", .rows = 5};
    refused(&m, (int[4]){4, 3}, 2, &(hst_param)PARAM(got, 5, 3), "[4, 3], expected [5, 3]");
    m = (hst_param_map){.theirs = "x", .grid = {1, 1, HST_GRID_PLAIN, {3, 3}}};
    refused(&m, (int[4]){1, 12, 2}, 3, &table, "[1, 12, 2], expected [9, 2]");
    refused(&m, (int[4]){1, 26, 3}, 3, &table, "[1, 26, 3], expected [26, 2]");
    m.grid.to.rows = 2;
    refused(&m, (int[4]){1, 26, 2}, 3, &table, "no table of 2 x 3");
}

/* A network of more layers than any family has, of matrices that lie in one tensor. */
static void lists_of_any_length(void **state)
{
    (void)state;
    enum { LAYERS = 300 };
    hst_err err = {0};
    char used[1] = {0}, name[32];
    const hst_conv c = {.kernel = 1, .stride = 1, .channels = 3};
    hst_graph *g = hst_graph_new(&err);
    hst_param_maps l = {0};
    hst_tensors *t = file_of(4, (int[4]){LAYERS * 3, 3, 1, 1});
    int x = hst_graph_input(g, (hst_shape){1, 1, 3}, &err);
    for (int i = 0; i < LAYERS; i++) {
        snprintf(name, sizeof name, "block_%d", i);
        x = hst_graph_conv2d(g, x, &c, name, &err);
        assert_true(x > 0);
    }
    check_ok(hst_graph_finish(g, &err), &err);
    for (int i = 0; i < LAYERS; i++) {
        snprintf(name, sizeof name, "block_%d/kernel", i);
        hst_param_map *m = hst_param_maps_add(&l, name, "x", &err);
        check_ok(m == NULL, &err);
        m->slice.part = i;
        m->slice.of = LAYERS;
        m->permutes = 1;
        memcpy(m->order, (int[4]){2, 3, 1, 0}, sizeof m->order);
    }
    check_ok(hst_params_import(t, &l, g, used, &err), &err);
    assert_int_equal(used[0], 1);
    for (int i = 0; i < LAYERS * 9; i++) {
        const int layer = i / 9, in = i / 3 % 3, out = i % 3;
        assert_true(hst_graph_param(g, (size_t)layer)->data[i % 9] ==
                    number((layer * 3 + out) * 3 + in));
    }
    l.n--;
    assert_int_equal(hst_params_import(t, &l, g, used, &err), HST_EMODEL);
    assert_non_null(strstr(err.msg, "nothing is said of parameter 'block_299/kernel'"));
    snprintf(l.map[0].ours, sizeof l.map[0].ours, "nowhere");
    assert_int_equal(hst_params_import(t, &l, g, used, &err), HST_EMODEL);
    assert_non_null(strstr(err.msg, "no parameter 'nowhere'"));
    hst_tensors_free(t);
    hst_param_maps_free(&l);
    hst_graph_free(g);
}

/* ---- a family that is none of convolutions and batch norm ---- */

/* Patches of 2 x 2 become tokens of D numbers; of them query, key and value, which one matrix of
 * the file holds. */
static int build_tiny(hst_graph *g, const hst_arch *a, hst_err *err)
{
    static const char *const parts[] = {"query", "key", "value"};
    const hst_conv patch = {.kernel = 2, .stride = 2, .channels = D, .bias = 1};
    const hst_conv token = {.kernel = 1, .stride = 1, .channels = D, .bias = 1};
    int x = hst_graph_input(g, (hst_shape){a->size.height, a->size.width, 3}, err), sum = -1;
    x = x < 0 ? x : hst_graph_conv2d(g, x, &patch, "patch", err);
    for (int i = 0; i < 3 && x >= 0; i++) {
        const int y = hst_graph_conv2d(g, x, &token, parts[i], err);
        sum = y < 0 || sum < 0 ? y : hst_graph_add(g, sum, y, err);
    }
    return sum < 0 ? sum : hst_graph_global_average(g, sum, err);
}

static int map_tiny(const hst_arch *a, const hst_origin *o, const hst_tensors *t,
                    hst_param_maps *out, hst_err *err)
{
    static const struct {
        const char *ours, *theirs;
        int is_kernel, part, of;
    } rows[] = {{"patch/kernel", "embed.weight", 1, 0, 0}, {"patch/bias", "embed.bias", 0, 0, 0},
                {"query/kernel", "qkv.weight", 1, 0, 3},   {"query/bias", "qkv.bias", 0, 0, 3},
                {"key/kernel", "qkv.weight", 1, 1, 3},     {"key/bias", "qkv.bias", 0, 1, 3},
                {"value/kernel", "qkv.weight", 1, 2, 3},   {"value/bias", "qkv.bias", 0, 2, 3}};
    (void)a;
    (void)t;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char theirs[HST_MAX_FILE_NAME];
        snprintf(theirs, sizeof theirs, "%s%s", o->prefix, rows[i].theirs);
        hst_param_map *m = hst_param_maps_add(out, rows[i].ours, theirs, err);
        if (!m)
            return HST_EMEM;
        m->slice.part = rows[i].part;
        m->slice.of = rows[i].of;
        m->permutes = rows[i].is_kernel;
        memcpy(m->order, (int[4]){2, 3, 1, 0}, sizeof m->order);
    }
    return 0;
}

static const char *const tiny_body[] = {"embed.", "qkv.", NULL};
static const hst_dialect tiny_dialect = {.name = "made up", .body = tiny_body};
static const hst_kind tiny_kind = {.build = build_tiny, .map = map_tiny};
static const hst_family tiny = {"tiny", 8, &tiny_kind, NULL, &tiny_dialect, 1};

static hst_tensor tensor(const char *name, int n_dims, int a, int b, int kernel)
{
    const size_t floats =
        n_dims == 1 ? (size_t)a : (size_t)a * (size_t)b * (size_t)(kernel * kernel);
    return (hst_tensor){.name = name,
                        .dtype = HST_F32,
                        .n_dims = n_dims,
                        .dim = {a, b, kernel, kernel},
                        .data = numbers + strlen(name), /* others for each */
                        .n_bytes = floats * sizeof(float)};
}

static void a_family_of_another_kind_is_imported(void **state)
{
    (void)state;
    hst_err err = {0};
    const hst_origin o = {.family = &tiny, .dialect = &tiny_dialect, .prefix = "net."};
    const hst_arch arch = {.family = "tiny", .size = {8, 8}};
    const hst_tensor x[] = {
        tensor("net.embed.weight", 4, D, 3, 2),   tensor("net.embed.bias", 1, D, 0, 0),
        tensor("net.qkv.weight", 4, 3 * D, D, 1), tensor("net.qkv.bias", 1, 3 * D, 0, 0),
        tensor("head.weight", 1, 7, 0, 0),        tensor("net.qkv.scale", 1, D, 0, 0)};
    hst_graph *g = hst_graph_new(&err);
    check_ok(tiny.kind->build(g, &arch, &err) < 0 || hst_graph_finish(g, &err), &err);
    hst_tensors *t = file_with(x, 5), *more = file_with(x, 6);
    check_ok(hst_weights_import(t, &o, &arch, g, &err), &err);
    const float *patch = hst_graph_find(g, "patch/kernel")->data;
    const float *value = hst_graph_find(g, "value/kernel")->data;
    const float *bias = hst_graph_find(g, "key/bias")->data;
    for (int i = 0; i < 2 * 2 * 3 * D; i++) { /* [H][W][I][O] from [O][I][H][W] */
        const int out = i % D, in = i / D % 3, w = i / D / 3 % 2, h = i / D / 6;
        assert_true(patch[i] == number(16 + ((out * 3 + in) * 2 + h) * 2 + w));
    }
    for (int in = 0; in < D; in++)
        for (int out = 0; out < D; out++)
            assert_true(value[in * D + out] == number(14 + (2 * D + out) * D + in));
    for (int c = 0; c < D; c++)
        assert_true(bias[c] == number(12 + D + c));
    assert_int_equal(hst_weights_import(more, &o, &arch, g, &err), HST_EMODEL);
    assert_non_null(strstr(err.msg, "tensor 'net.qkv.scale' is not part of tiny"));
    hst_tensors_free(more);
    hst_tensors_free(t);
    hst_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_the_tensor),
        cmocka_unit_test(a_transpose_exchanges_rows_and_columns),
        cmocka_unit_test(a_permutation_is_of_axes),
        cmocka_unit_test(a_fused_matrix_is_cut),
        cmocka_unit_test(a_parameter_is_filled_and_subtracted_from),
        cmocka_unit_test(a_table_of_positions_is_that_of_other_libraries),
        cmocka_unit_test(what_is_kept_is_no_part_of_the_table),
        cmocka_unit_test(a_parameter_is_put_together),
        cmocka_unit_test(tensors_that_do_not_fit_are_refused),
        cmocka_unit_test(lists_of_any_length),
        cmocka_unit_test(a_family_of_another_kind_is_imported),
    };
    for (int i = 0; i < N_NUMBERS; i++)
        numbers[i] = number(i);
    return cmocka_run_group_tests_name("params", tests, NULL, NULL);
}
