/* dataset: lists of photos as programs and people write them, what is made of them, and what is
 * said of those that leave a doubt. */
#include "list_scene.h"

#include "base/buf.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* ---- tables ---- */

static void columns_are_known_by_name(void **state)
{
    (void)state;
    made m = make("a.jpg b.jpg c.png");
    const char *want = "b.jpg=cat a.jpg=dog c.png=dog";
    check_list(&m, "l.csv", "filename,label\na.jpg,dog\nb.jpg,cat\nc.png,dog\n", want);
    check_list(&m, "l.csv",
               "id;File Name;x;Species\r\n7;a.jpg;1;dog\r\n8;b.jpg;2;cat\r\n9;c.png;3;dog\r\n",
               want);
    check_list(&m, "l.tsv",
               "\xef\xbb\xbf"
               "image\tbreed\n\"a.jpg\"\tdog\nb\tcat\nc\tdog\n",
               want);
    check_list(&m, "l.csv", "a.jpg,dog\nb.jpg,cat\nc.png,dog\n", want);
    check_list(&m, "l.csv", "b,label\na,dog\nc,dog\n", "a.jpg=dog c.png=dog b.jpg=label");
    check_list(&m, "l.csv", "dog,a.jpg\ncat,b.jpg\ndog,c.png\n", want);
    check_list(&m, "l.csv", "Filename,Label,Species\na.jpg,0,dog\nb.jpg,1,cat\nc.png,0,dog\n",
               want);
    check_list(&m, "l.csv", "id,what\na,dog\nb,cat\nc,dog\n", want); /* by which files are there */
    check_list(&m, "l.csv", "image_id,finding_label,age\na,dog,3\nb,cat,4\nc,dog,5\n", want);
    check_list(&m, "l.csv", "x,path,true_label\n9,./a.jpg,dog\n9,b.jpg,cat\n9,c.png,dog\n", want);
    put(&m, "l.csv", "a,b,c\na.jpg,1,2\nb.jpg,3,4\n");
    refused(&m, "l.csv",
            "which of its columns holds the labels is not clear: --label-column NAME "
            "says it; it has a, b and c");
    put(&m, "l.csv", "f,label,tag\na.jpg,x,y\nb.jpg,z,w\n");
    refused(&m, "l.csv", "--label-column NAME says it; it has f, label and tag");
    put(&m, "l.csv", "f,label\nz.x,x\ny.x,z\n");
    refused(&m, "l.csv", "holds the paths of the photos is not clear: --path-column");
    drop(&m);
}

static void columns_may_be_given(void **state)
{
    (void)state;
    made m = make("a.jpg b.jpg");
    hst_data_opts o = opts();
    put(&m, "l.csv", "f,one,two\na.jpg,x,y\nb.jpg,z,w\n");
    o.label_column = "two";
    check_with(&m, "l.csv", &o, "b.jpg=w a.jpg=y");
    o.label_column = "2";
    o.path_column = "F";
    check_with(&m, "l.csv", &o, "a.jpg=x b.jpg=z");
    o.label_column = "three";
    refused_with(&m, "l.csv", &o, "has no column 'three'; it has f, one and two");
    o.label_column = "one,two";
    refused_with(&m, "l.csv", &o, "labels in several columns are several labels");
    o.multi_label = 1;
    check_with(&m, "l.csv", &o, "a.jpg=x&y b.jpg=w&z");
    o.label_column = "one";
    refused_with(&m, "", &o, "is a folder; path-column is for lists");
    drop(&m);
}

static void sides_are_columns(void **state)
{
    (void)state;
    made m = make("a.jpg b.jpg c.jpg d.jpg");
    hst_data_opts o = opts();
    o.split = "stable";
    put(&m, "l.csv",
        "path,label,split\na.jpg,x,Train\nb.jpg,y,training\nc.jpg,x,VALID\nd.jpg,y,dev\n");
    check_with(&m, "l.csv", &o, "a.jpg+=x b.jpg+=y c.jpg?=x d.jpg?=y");
    put(&m, "l.csv",
        "path,label,is_valid\na.jpg,x,False\nb.jpg,y,False\nc.jpg,x,True\nd.jpg,y,1\n");
    check_with(&m, "l.csv", &o, "a.jpg+=x b.jpg+=y c.jpg?=x d.jpg?=y");
    put(&m, "l.csv",
        "path,label,fold\na.jpg,x,0\nb.jpg,y,1\nc.jpg,x,2\nd.jpg,y,3\n"); /* no sides */
    check_with(&m, "l.csv", &o, "a.jpg=x c.jpg=x b.jpg=y d.jpg=y");
    put(&m, "k.csv", "path,label,split\na.jpg,x,train\nb.jpg,y,train\n"); /* one part: no sides */
    check_with(&m, "k.csv", &o, "a.jpg=x b.jpg=y");
    o.part = "held";
    put(&m, "k.csv", "path,label,split\na.jpg,x,train\nb.jpg,y,val\nc.jpg,x,test\nd.jpg,y,test\n");
    check_with(&m, "k.csv", &o, "c.jpg=x d.jpg=y");
    o.part = NULL;
    o.split_column = "fold";
    refused_with(&m, "l.csv", &o, "no photo");
    o.split_column = NULL;
    put(&m, "val.txt", "c.jpg x\nd.jpg y\n");
    put(&m, "train.txt", "a.jpg x\nb.jpg y\n");
    char *val = hst_path_join(m.dir, "val.txt", NULL);
    o.val_dir = val;
    check_with(&m, "train.txt", &o, "a.jpg+=x b.jpg+=y c.jpg?=x d.jpg?=y");
    o.val_dir = m.dir;
    refused_with(&m, "train.txt", &o,
                 "is a list, so the photos for validation are named by a list");
    free(val);
    drop(&m);
}

static void json_lists(void **state)
{
    (void)state;
    made m = make("a.jpg b.jpg c.jpg");
    const char *want = "a.jpg=cat c.jpg=cat b.jpg=dog";
    check_list(&m, "l.jsonl",
               "{\"file_name\": \"a.jpg\", \"label\": \"cat\"}\n{\"file_name\": \"b.jpg\", "
               "\"label\": \"dog\"}\n{\"label\": \"cat\", \"file_name\": \"c.jpg\"}\n",
               want);
    check_list(&m, "l.json",
               "[{\"image\": \"a.jpg\", \"class\": \"cat\"}, {\"image\": \"b.jpg\", \"class\": "
               "[\"dog\"]}, {\"image\": \"c.jpg\", \"class\": \"cat\"}]",
               want);
    check_list(&m, "l.json", "{\"a.jpg\": \"cat\", \"b.jpg\": \"dog\", \"c.jpg\": \"cat\"}", want);
    check_list(&m, "l.json", "{\"cat\": [\"a\", \"c\"], \"dog\": [\"b\"]}", want);
    drop(&m);
}

static void lines_of_path_and_label(void **state)
{
    (void)state;
    made m = make("n01/x.JPEG n01/y.JPEG n02/z.JPEG");
    check_list(&m, "train.txt", "n01/x.JPEG 0\nn01/y.JPEG 0\nn02/z.JPEG 1\n",
               "n01/x.JPEG=0 n01/y.JPEG=0 n02/z.JPEG=1");
    put(&m, "classes.txt", "tench\ngoldfish\n");
    check(&m, "train.txt", "n02/z.JPEG=goldfish n01/x.JPEG=tench n01/y.JPEG=tench");
    put(&m, "classes.txt", "1 goldfish\r\n0 tench, Tinca tinca\r\n");
    check(&m, "train.txt",
          "n02/z.JPEG=goldfish n01/x.JPEG=tench, Tinca tinca n01/y.JPEG=tench, Tinca tinca");
    put(&m, "classes.txt", "tench\n");
    refused(&m, "train.txt", "classes.txt has no line for label 1");
    put(&m, "classes.txt", "tench\ngoldfish\n");
    check_list(&m, "train.txt", "n01/x.JPEG 1\nn01/y.JPEG 1\nn02/z.JPEG 2\n",
               "n02/z.JPEG=goldfish n01/x.JPEG=tench n01/y.JPEG=tench");
    check_list(&m, "train.txt", "n01/x\nn01/y\nn02/z\n",
               "n01/x.JPEG=n01 n01/y.JPEG=n01 n02/z.JPEG=n02");
    drop(&m);
}

/* ---- files ---- */

static void files_are_found(void **state)
{
    (void)state;
    made m = make("sub/deep/a.jpg sub/b.JPG c.jpg two/d.jpg three/d.jpg x/e.png");
    check_list(&m, "l.csv",
               "path,label\nsub\\deep\\a.jpg,x\nb,y\n./c.jpg,x\nd.jpg,y\nthree/d.jpg,x\nno.jpg,x\n"
               "http://h/c.jpg,x\n",
               "c.jpg=x sub/deep/a.jpg=x three/d.jpg=x sub/b.JPG=y; left: d.jpg, "
               "http://h/c.jpg, no.jpg");
    check_list(&m, "l.csv",
               "path,label\n/content/in/x/e.png,x\n/content/in/c.jpg,y\n/other/c.jpg,y\n",
               "x/e.png=x c.jpg=y; left: /other/c.jpg");
    put(&m, "lists/l.csv", "path,label\n../c.jpg,x\n../x/e.png,y\n");
    check(&m, "lists/l.csv", "lists/../c.jpg=x lists/../x/e.png=y");
    hst_data_opts o = opts();
    char *images = hst_path_join(m.dir, "x", NULL), *c = hst_path_join(m.dir, "c.jpg", NULL);
    char text[4096];
    put(&m, "lists/l.csv", "path,label\ne,x\n");
    refused(&m, "lists/l.csv", "none of its 1 photos is there (e, looked for below");
    o.images = images;
    check_with(&m, "lists/l.csv", &o, "x/e.png=x");
    snprintf(text, sizeof text, "path,label\n\"%s\",x\n", c);
    put(&m, "lists/l.csv", text);
    check_with(&m, "lists/l.csv", &o, "c.jpg=x");
    o.images = c;
    refused_with(&m, "lists/l.csv", &o, "there is no such folder (--images)");
    free(images);
    free(c);
    drop(&m);
}

static void odd_lists(void **state)
{
    (void)state;
    made m = make("a.jpg b.jpg l\xf6we.jpg");
    put(&m, "l.csv", "");
    refused(&m, "l.csv", "l.csv is empty; expected a list of photos");
    put(&m, "l.csv", "path,label\n");
    refused(&m, "l.csv", "names no photo with a label");
    put(&m, "l.csv", "one,two\n");
    refused(&m, "l.csv", "it has no names, and columns 1 to 2");
    put_bytes(&m, "l.csv", "path,label\na.jpg,\0x\n", 20);
    refused(&m, "l.csv", "line 2: holds a zero byte");
    put(&m, "l.csv", "path,label\na.jpg,\"x\nb.jpg,y\n");
    refused(&m, "l.csv", "line 2: the quote that begins here is never closed");
    check_list(&m, "l.csv", "path,label\na.jpg,x\nb.jpg\n,y\n",
               "a.jpg=x; left: b.jpg, l.csv, line 4");
    check_list(&m, "l.csv", "path,label\nl\xf6we.jpg,x\na.jpg,y\n", "l\xf6we.jpg=x a.jpg=y");
    put(&m, "l.csv", "path,label\na.jpg,l\xf6we\nb.jpg,x\n");
    refused(&m, "l.csv", "line 2: the label 'l?we' is not UTF-8; save the list as UTF-8");
    /* the same photo again, with the same label and with another */
    check_list(&m, "l.csv", "path,label\na.jpg,x\nb.jpg,y\na.jpg,x\n", "a.jpg=x b.jpg=y");
    check_list(&m, "l.csv", "path,label\na.jpg,x\nb.jpg,y\n./a.jpg,y\n", "b.jpg=y; left: a.jpg");
    put(&m, "l.csv", "path,label\na.jpg,x\nb.jpg,y\na.jpg,y\nb.jpg,x\n");
    refused(&m, "l.csv", "2 of 2 photos have several labels");
    put(&m, "l.csv", "\n\n\n");
    refused(&m, "l.csv", "is empty");
    refused(&m, "no.csv", "no.csv");
    drop(&m);
}

/* ---- large ---- */

static void large_lists_are_read_in_a_moment(void **state)
{
    (void)state;
    enum { ROWS = 100000 };
    made m = make("a.jpg b.jpg");
    hst_err e = {0};
    hst_data_opts o = opts();
    hst_buf b = HST_BUF(1 << 24);
    struct timespec from, to;
    hst_buf_puts(&b, "path,label\nb.jpg,y\n");
    for (int i = 0; i < ROWS; i++)
        hst_buf_printf(&b, i % 2 ? "a.jpg,x\n" : "no/such/%d.jpg,x\n", i);
    put(&m, "l.csv", b.p);
    clock_gettime(CLOCK_MONOTONIC, &from);
    hst_data *d = open_as(&m, "l.csv", &o, &e);
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_non_null(d);
    assert_int_equal(hst_data_count(d), 2);
    assert_non_null(hst_data_left_out(d, ROWS / 2 - 1, NULL, NULL));
    assert_null(hst_data_left_out(d, ROWS / 2, NULL, NULL));
    const double seconds =
        (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    print_message("%d rows in %.2f s\n", ROWS, seconds);
    assert_true(seconds < 60); /* not quadratic: that would be hours */
    hst_data_free(d);
    hst_buf_free(&b);
    drop(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_known_by_name),
        cmocka_unit_test(columns_may_be_given),
        cmocka_unit_test(sides_are_columns),
        cmocka_unit_test(json_lists),
        cmocka_unit_test(lines_of_path_and_label),
        cmocka_unit_test(files_are_found),
        cmocka_unit_test(odd_lists),
        cmocka_unit_test(large_lists_are_read_in_a_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
