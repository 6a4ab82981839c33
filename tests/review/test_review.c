/* review: the handle that people ask: order, lists, copies, what could not be read. */
#include "made_up.h"
#include "support.h"

#include "base/file.h"
#include "review/review.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct scene {
    char *dir;
    hst_ctx *ctx;
    hst_backbone *b;
    hst_data *d;
} scene;

static void write_copy(const char *from, const char *to)
{
    hst_err e = {0};
    uint8_t *bytes = NULL;
    size_t n;
    check_ok(hst_file_read(from, 1 << 20, HST_EIMAGE, &bytes, &n, &e), &e);
    check_ok(hst_file_write(to, bytes, n, &e), &e);
    free(bytes);
}

/* Two classes of 15 photos, one of which lies in the other class too, and a file that is none. */
static scene set_up(void)
{
    hst_err e = {0};
    scene s = {.dir = temporary_folder(), .ctx = made_up_ctx(2)};
    char from[4096], to[4096];
    made_up_photos(s.dir, 2, 15, 24, 20);
    snprintf(from, sizeof from, "%s/a/3.png", s.dir);
    snprintf(to, sizeof to, "%s/b/copy of <3> & \"more\".png", s.dir);
    write_copy(from, to);
    snprintf(to, sizeof to, "%s/b/none.png", s.dir);
    check_ok(hst_file_write(to, "no picture", 10, &e), &e);
    s.b = made_up_backbone(s.ctx, 1);
    s.d = hst_data_open(s.ctx, s.dir, NULL, &e);
    check_ok(s.d == NULL, &e);
    return s;
}

static void tear_down(scene *s)
{
    hst_data_free(s->d);
    hst_backbone_free(s->b);
    hst_close(s->ctx);
    remove_tree(s->dir);
    free(s->dir);
}

static void check_lists(const hst_review *r)
{
    size_t in[HST_REVIEW_LISTS] = {0};
    char seen[32] = {0};
    for (int list = 0; list < HST_REVIEW_LISTS; list++) {
        const hst_review_photo *p, *before = NULL;
        for (size_t i = 0; (p = hst_review_at(r, (enum hst_review_list)list, i)); i++) {
            assert_int_equal(p->size, sizeof *p);
            assert_true(p->score >= 0 && p->score <= 1);
            if (before && list == HST_REVIEW_OUTLIERS)
                assert_true(p->distance <= before->distance);
            else if (before)
                assert_true(p->score <= before->score);
            assert_true(list != HST_REVIEW_WRONG || p->wrong);
            assert_true(list != HST_REVIEW_OUTLIERS || p->outlier);
            assert_true(list != HST_REVIEW_HARD || p->hard);
            if (list == HST_REVIEW_ALL) {
                seen[p->photo]++;
                assert_string_equal(p->path, hst_data_path(r->data, p->photo));
                assert_int_equal(p->label, hst_data_label(r->data, p->photo));
            }
            in[list]++;
            before = p;
        }
    }
    assert_int_equal(in[HST_REVIEW_ALL], 31);
    size_t wrong = 0, outliers = 0, hard = 0, i = 0;
    for (const hst_review_photo *p; (p = hst_review_at(r, HST_REVIEW_ALL, i)); i++) {
        wrong += (size_t)p->wrong;
        outliers += (size_t)p->outlier;
        hard += (size_t)p->hard;
        assert_int_equal(seen[p->photo], 1);
    }
    assert_int_equal(in[HST_REVIEW_WRONG], wrong);
    assert_int_equal(in[HST_REVIEW_OUTLIERS], outliers);
    assert_int_equal(in[HST_REVIEW_HARD], hard);
}

static void lists_are_in_order_and_copies_are_found(void **state)
{
    (void)state;
    hst_err e = {0};
    scene s = set_up();
    hst_review *r = hst_review_data(s.ctx, s.b, s.d, NULL, &e);
    check_ok(r == NULL, &e);
    check_lists(r);
    assert_int_equal(hst_review_skipped(r), 1);
    assert_non_null(strstr(hst_review_copy(r, 0, 0)->path, "a/3.png"));
    assert_non_null(strstr(hst_review_copy(r, 0, 1)->path, "b/copy"));
    assert_null(hst_review_copy(r, 0, 2));
    assert_null(hst_review_copy(r, 1, 0));
    assert_null(hst_review_at(r, (enum hst_review_list)HST_REVIEW_LISTS, 0));
    hst_review_free(r);
    tear_down(&s);
}

/* What a run has predicted out of fold is taken; a model's own backbone sees what b does. */
static void a_run_and_its_model_are_reviewed(void **state)
{
    (void)state;
    hst_err e = {0};
    scene s = set_up();
    hst_run *run = NULL;
    hst_model *m = hst_train(s.ctx, s.b, s.d, NULL, &run, &e);
    check_ok(m == NULL, &e);
    hst_review *of_run = hst_review_of_run(run, m, &e);
    check_ok(of_run == NULL, &e);
    check_lists(of_run);
    hst_review *by_model = hst_review_with(s.ctx, m, s.d, &e);
    check_ok(by_model == NULL, &e);
    hst_review *by_backbone = hst_review_data(s.ctx, s.b, s.d, NULL, &e);
    check_ok(by_backbone == NULL, &e);
    assert_memory_equal(by_model->photo, by_backbone->photo, 31 * sizeof *by_model->photo);
    hst_review_free(by_backbone);
    hst_review_free(by_model);
    hst_review_free(of_run);
    hst_run_free(run);
    hst_model_free(m);
    tear_down(&s);
}

static void photos_without_labels_are_refused(void **state)
{
    (void)state;
    hst_err e = {0};
    scene s = set_up();
    const char *path = hst_data_path(s.d, 0);
    hst_data *d = hst_data_from_files(&path, 1, &e);
    check_ok(d == NULL, &e);
    assert_null(hst_review_data(s.ctx, s.b, d, NULL, &e));
    assert_int_equal(e.code, HST_EARG);
    hst_data_free(d);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_in_order_and_copies_are_found),
        cmocka_unit_test(a_run_and_its_model_are_reviewed),
        cmocka_unit_test(photos_without_labels_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
