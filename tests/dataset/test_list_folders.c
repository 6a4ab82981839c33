/* dataset: folders that hold lists of known names, labels in names of photos, several labels a
 * photo, and numbers. */
#include "list_scene.h"

#include <string.h>

/* ---- folders that hold their list ---- */

static void hugging_face(void **state)
{
    (void)state;
    hst_data_opts o = opts();
    made m = make("1.png 2.png 3.png");
    put(&m, "metadata.csv", "file_name,label\n1.png,cat\n2.png,dog\n");
    check(&m, "", "1.png=cat 2.png=dog; left: 3.png");
    drop(&m);
    m = make("train/1.png train/2.png validation/1.png validation/2.png");
    put(&m, "train/metadata.jsonl",
        "{\"file_name\": \"1.png\", \"label\": 0}\n{\"file_name\": "
        "\"2.png\", \"label\": 1}\n");
    put(&m, "validation/metadata.jsonl",
        "{\"file_name\": \"1.png\", \"label\": 1}\n{\"file_name\": "
        "\"2.png\", \"label\": 0}\n");
    o.split = "stable";
    check_with(&m, "", &o, "train/1.png+=0 train/2.png+=1 validation/2.png?=0 validation/1.png?=1");
    drop(&m);
    /* class folders, and a list of something else, or of all photos */
    m = make("x/1.png y/2.png");
    put(&m, "metadata.csv", "file_name,text\nx/1.png,a cat\ny/2.png,a dog\n");
    check(&m, "", "x/1.png=x y/2.png=y; left: metadata.csv");
    put(&m, "metadata.csv", "file_name,license,label\nx/1.png,a,cat\ny/2.png,b,dog\n");
    check(&m, "", "x/1.png=cat y/2.png=dog");
    drop(&m);
    m = make("images/1.png images/2.png");
    put(&m, "labels.csv", "id,label\n1,cat\n2,dog\n");
    refused(&m, "", "labels.csv, give that in its place");
    check(&m, "labels.csv", "images/1.png=cat images/2.png=dog");
    drop(&m);
}

static void coco(void **state)
{
    (void)state;
    hst_data_opts o = opts();
    static const char text[] =
        "{\"images\": [{\"id\": 1, \"file_name\": \"1.jpg\"}, {\"id\": 2, \"file_name\": "
        "\"2.jpg\"}, "
        "{\"id\": 3, \"file_name\": \"3.jpg\"}], \"annotations\": [{\"image_id\": 1, "
        "\"category_id\": 7}, {\"image_id\": 1, \"category_id\": 7}, {\"image_id\": 2, "
        "\"category_id\": 9}, {\"image_id\": 2, \"category_id\": 7}], \"categories\": [{\"id\": 9, "
        "\"name\": \"dog\"}, {\"id\": 7, \"name\": \"cat\"}]}";
    made m = make("default/1.jpg default/2.jpg default/3.jpg");
    put(&m, "annotations/instances_default.json", text);
    check(&m, "", "default/1.jpg=cat; left: default/2.jpg, default/3.jpg");
    o.multi_label = 1;
    check_with(&m, "", &o, "default/1.jpg=cat default/2.jpg=cat&dog default/3.jpg=");
    drop(&m);
    /* as Roboflow exports it */
    m = make("train/1.jpg train/2.jpg train/3.jpg valid/1.jpg valid/2.jpg valid/3.jpg");
    put(&m, "train/_annotations.coco.json", text);
    put(&m, "valid/_annotations.coco.json", text);
    o.split = "stable";
    check_with(&m, "", &o,
               "train/1.jpg+=cat train/2.jpg+=cat&dog train/3.jpg+= valid/1.jpg?=cat "
               "valid/2.jpg?=cat&dog valid/3.jpg?=");
    drop(&m);
    /* a category an image, and a list given by itself */
    m = make("1.jpg 2.jpg");
    put(&m, "c.json",
        "{\"images\": [{\"file_name\": \"1.jpg\", \"category_id\": 1}, {\"file_name\": "
        "\"2.jpg\", \"category\": \"dog\"}], \"categories\": [{\"id\": 1, \"name\": "
        "\"cat\"}]}");
    check(&m, "c.json", "1.jpg=cat 2.jpg=dog");
    put(&m, "c.json",
        "{\"images\": [{\"id\": 1, \"file_name\": \"1.jpg\"}], \"annotations\": "
        "[{\"image_id\": 5, \"category_id\": 1}]}");
    refused(&m, "c.json", "annotation 1 names an image or a category that is not there");
    put(&m, "c.json", "{\"images\": [], \"categories\": [{}]}");
    refused(&m, "c.json", "category 1 has no id or no name");
    put(&m, "c.json", "{\"images\": []}");
    refused(&m, "c.json", "names no photo");
    drop(&m);
}

static void pascal_voc(void **state)
{
    (void)state;
    made m = make("V/JPEGImages/2008_1.jpg V/JPEGImages/2008_2.jpg V/JPEGImages/2008_3.jpg "
                  "V/JPEGImages/2008_4.jpg");
    put(&m, "V/ImageSets/Main/cat_train.txt", "2008_1  1\n2008_2 -1\n");
    put(&m, "V/ImageSets/Main/dog_train.txt", "2008_1 -1\n2008_2  1\n");
    put(&m, "V/ImageSets/Main/cat_val.txt", "2008_3  1\n2008_4 -1\n");
    put(&m, "V/ImageSets/Main/dog_val.txt", "2008_3  0\n2008_4  1\n");
    put(&m, "V/ImageSets/Main/cat_trainval.txt", "2008_1  1\n2008_2 -1\n2008_3  1\n2008_4 -1\n");
    put(&m, "V/ImageSets/Main/train.txt", "2008_1\n2008_2\n");
    hst_data_opts o = opts();
    o.split = "stable";
    check_with(&m, "", &o,
               "V/JPEGImages/2008_1.jpg+=cat V/JPEGImages/2008_2.jpg+=dog "
               "V/JPEGImages/2008_4.jpg?=dog; left: V/JPEGImages/2008_3.jpg");
    o.multi_label = 1;
    check_with(&m, "", &o,
               "V/JPEGImages/2008_1.jpg+=cat V/JPEGImages/2008_2.jpg+=dog "
               "V/JPEGImages/2008_3.jpg?=cat&dog V/JPEGImages/2008_4.jpg?=dog");
    put(&m, "V/ImageSets/Main/dog_val.txt", "2008_3  x\n");
    refused_with(&m, "", &o, "line 1: expected an id and 1, 0 or -1");
    drop(&m);
}

static void one_column_a_label(void **state)
{
    (void)state;
    made m = make("train/1.jpg train/2.jpg train/3.jpg valid/1.jpg valid/2.jpg");
    put(&m, "train/_classes.csv", "filename, cat, dog\n1.jpg, 1, 0\n2.jpg, 1, 1\n3.jpg, 0, 0\n");
    put(&m, "valid/_classes.csv", "filename, cat, dog\n1.jpg, 0, 1\n2.jpg, 1, 0\n");
    hst_data_opts o = opts();
    o.split = "stable";
    o.multi_label = 1;
    check_with(&m, "", &o,
               "train/1.jpg+=cat train/2.jpg+=cat&dog train/3.jpg+= valid/1.jpg?=dog "
               "valid/2.jpg?=cat");
    put(&m, "train/_classes.csv", "filename, cat, dog\n1.jpg, 1, 0\n2.jpg, 0, 1\n3.jpg, 0, 0\n");
    o.multi_label = 0;
    check_with(&m, "", &o,
               "train/1.jpg+=cat train/2.jpg+=dog valid/2.jpg?=cat valid/1.jpg?=dog; "
               "left: train/3.jpg");
    check_list(&m, "l.csv", "image,MEL,NV\ntrain/1,0.0,1.0\ntrain/2,1.0,0.0\n",
               "train/2.jpg=MEL train/1.jpg=NV");
    drop(&m);
}

/* ---- names ---- */

static void labels_out_of_names(void **state)
{
    (void)state;
    hst_data_opts o = opts();
    made m = make("images/great_pyrenees_1.jpg images/great_pyrenees_22.jpg images/pug_3.jpg "
                  "images/odd.jpg");
    o.label_from = "([^/]+)_[0-9]+.jpg$";
    check_with(&m, "", &o,
               "images/great_pyrenees_1.jpg=great_pyrenees "
               "images/great_pyrenees_22.jpg=great_pyrenees images/pug_3.jpg=pug; left: "
               "images/odd.jpg");
    put(&m, "l.txt", "images/great_pyrenees_1.jpg\nimages/pug_3.jpg\nimages/odd.jpg\n");
    check_with(&m, "l.txt", &o,
               "images/great_pyrenees_1.jpg=great_pyrenees images/pug_3.jpg=pug; left: "
               "images/odd.jpg");
    o.label_from = "[0-9]+";
    refused_with(&m, "", &o, "has no group: put what is the label between ( and )");
    o.label_from = "([0-9";
    refused_with(&m, "", &o, "is no POSIX extended regular expression");
    o.label_from = "^(zzz)";
    refused_with(&m, "", &o, "matches none of its 4 photos (images/great_pyrenees_1.jpg)");
    o.label_column = "label";
    refused_with(&m, "l.txt", &o, "in a column or in paths");
    drop(&m);
}

/* ---- several labels, and numbers ---- */

static void several_labels(void **state)
{
    (void)state;
    made m = make("a.jpg b.jpg c.jpg");
    hst_data_opts o = opts();
    o.multi_label = 1;
    const char *want = "a.jpg=cat&dog b.jpg=dog c.jpg=";
    put(&m, "l.csv", "path,labels\na.jpg,cat|dog|cat\nb.jpg,dog\nc.jpg,\n");
    check_with(&m, "l.csv", &o, want);
    put(&m, "l.csv", "path,labels\na.jpg,\"cat, dog\"\nb.jpg,dog\nc.jpg,\n");
    check_with(&m, "l.csv", &o, want);
    put(&m, "l.csv", "path,labels\na.jpg,cat; dog\nb.jpg,dog;\nc.jpg,\n");
    check_with(&m, "l.csv", &o, want);
    put(&m, "l.csv", "path,label\na.jpg,cat\nb.jpg,dog\na.jpg,dog\nc.jpg,\n");
    check_with(&m, "l.csv", &o, want);
    put(&m, "l.jsonl",
        "{\"path\": \"a.jpg\", \"labels\": [\"cat\", \"dog\"]}\n{\"path\": \"b.jpg\", "
        "\"labels\": \"dog\"}\n{\"path\": \"c.jpg\", \"labels\": []}\n");
    check_with(&m, "l.jsonl", &o, want);
    /* a comma or a space separates only where nothing else does, or it is asked for */
    put(&m, "l.csv", "path,labels\na.jpg,\"big, black|red\"\nb.jpg,a b\n");
    check_with(&m, "l.csv", &o, "a.jpg=big, black&red b.jpg=a b");
    o.label_separator = " ";
    put(&m, "l.csv", "path,labels\na.jpg,cat dog\nb.jpg,dog\nc.jpg,\n");
    check_with(&m, "l.csv", &o, want);
    o = opts();
    put(&m, "l.jsonl",
        "{\"path\": \"a.jpg\", \"labels\": [\"cat\", \"dog\"]}\n{\"path\": \"b.jpg\", "
        "\"labels\": [\"dog\", \"cow\"]}\n");
    refused_with(&m, "l.jsonl", &o, "2 of 2 photos have several labels");
    drop(&m);
}

/* A photo in several class folders is one with several labels. */
static void copies_are_one_photo(void **state)
{
    (void)state;
    made m = make("cat/1.jpg cat/2.jpg dog/3.jpg red/4.jpg");
    put(&m, "red/5.jpg", "cat/1.jpg"); /* what cat/1.jpg holds */
    put(&m, "dog/6.jpg", "cat/1.jpg");
    put(&m, "red/7.jpg", "dog/3.jpg");
    hst_data_opts o = opts();
    o.multi_label = 1;
    check_with(&m, "", &o,
               "cat/1.jpg=cat&dog&red cat/2.jpg=cat dog/3.jpg=dog&red red/4.jpg=red; "
               "left: dog/6.jpg, red/5.jpg, red/7.jpg");
    o.multi_label = 0;
    check_with(&m, "", &o,
               "cat/1.jpg=cat cat/2.jpg=cat dog/3.jpg=dog dog/6.jpg=dog red/4.jpg=red "
               "red/5.jpg=red red/7.jpg=red");
    drop(&m);
}

static void numbers(void **state)
{
    (void)state;
    made m = make("a.jpg b.jpg c.jpg d.jpg");
    hst_data_opts o = opts();
    hst_err e = {0};
    o.target = "age";
    put(&m, "l.csv", "path,age,sex\na.jpg,3.5,f\nb.jpg,-2e1,m\nc.jpg,old,m\nd.jpg,,f\n");
    check_with(&m, "l.csv", &o, "a.jpg=3.5 b.jpg=-20; left: c.jpg, d.jpg");
    hst_data *d = open_as(&m, "l.csv", &o, &e);
    assert_non_null(d);
    assert_int_equal(hst_data_target(d), HST_TARGET_NUMBER);
    assert_string_equal(hst_data_class(d, 0), "age");
    hst_data_free(d);
    put(&m, "l.csv", "path;age\na.jpg;3,5\nb.jpg;1e999\n");
    check_with(&m, "l.csv", &o, "a.jpg=3.5; left: b.jpg");
    put(&m, "l.csv", "path,age\na.jpg,1\na.jpg,2\nb.jpg,3\n");
    check_with(&m, "l.csv", &o, "b.jpg=3; left: a.jpg");
    o.target = "weight";
    refused_with(&m, "l.csv", &o, "has no column 'weight'");
    refused_with(&m, "", &o, "target is for lists");
    o.multi_label = 1;
    refused_with(&m, "l.csv", &o, "not both");
    drop(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hugging_face),         cmocka_unit_test(coco),
        cmocka_unit_test(pascal_voc),           cmocka_unit_test(one_column_a_label),
        cmocka_unit_test(labels_out_of_names),  cmocka_unit_test(several_labels),
        cmocka_unit_test(copies_are_one_photo), cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
