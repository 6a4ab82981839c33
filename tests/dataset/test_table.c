/* dataset: tables as programs write them, and what is said of those that are none. */
#include "support.h"

#include "base/buf.h"
#include "dataset/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Header, rows and cells as one text: "a|b;1|2". A list of several texts: "{x,y}"; nothing: "-". */
static void write_down(const hst_table *t, hst_buf *b)
{
    for (size_t c = 0; t->column && c < t->n_columns; c++)
        hst_buf_printf(b, "%s%s", c ? "|" : "#", t->column[c]);
    for (size_t r = 0; r < t->n_rows; r++) {
        hst_buf_puts(b, r || t->column ? ";" : "");
        for (size_t c = 0; c < t->first[r + 1] - t->first[r]; c++) {
            const hst_cell cell = hst_table_at(t, r, c);
            hst_buf_puts(b, c ? "|" : "");
            const char *text = cell.text;
            if (!text)
                hst_buf_puts(b, "-");
            else if (cell.n == 1)
                hst_buf_puts(b, text);
            for (size_t i = 0; text && cell.n != 1 && i <= cell.n; i++) {
                hst_buf_printf(b, i == cell.n ? "%s}" : "%s%s",
                               i == 0       ? "{"
                               : i < cell.n ? ","
                                            : "",
                               i == cell.n ? "" : text);
                text += i < cell.n ? strlen(text) + 1 : 0;
            }
        }
    }
}

static int parse(const char *name, const char *bytes, size_t n, hst_table *t, hst_err *e)
{
    const hst_table_file file = {(const uint8_t *)bytes, n, name};
    hst_arena *arena = hst_arena_new(e);
    assert_non_null(arena);
    const int rc = hst_table_parse(arena, &file, t, e);
    t->arena = arena; /* also of one that was refused */
    return rc;
}

static void end(hst_table *t)
{
    hst_arena *arena = t->arena;
    hst_table_clear(t);
    hst_arena_free(arena);
}

static void check_bytes(const char *name, const char *bytes, size_t n, const char *want)
{
    hst_err e = {0};
    hst_table t;
    hst_buf b = HST_BUF(1 << 20);
    check_ok(parse(name, bytes, n, &t, &e), &e);
    write_down(&t, &b);
    check_ok(hst_buf_check(&b, &e), &e);
    assert_string_equal(b.p, want);
    hst_buf_free(&b);
    end(&t);
}

static void check(const char *name, const char *text, const char *want)
{
    check_bytes(name, text, strlen(text), want);
}

static void refused_bytes(const char *name, const char *bytes, size_t n, const char *words)
{
    hst_err e = {0};
    hst_table t;
    assert_int_equal(parse(name, bytes, n, &t, &e), HST_EDATA);
    if (!strstr(e.msg, words))
        fail_msg("'%s' does not say '%s'", e.msg, words);
    assert_null(t.cell);
    hst_arena_free(t.arena);
}

static void refused(const char *name, const char *text, const char *words)
{
    refused_bytes(name, text, strlen(text), words);
}

static void separators_are_found(void **state)
{
    (void)state;
    check("l.csv", "path,label\na.jpg,cat\n", "path|label;a.jpg|cat");
    check("l.csv", "path;label\na.jpg;cat,dog\nb.jpg;3,5\n", "path|label;a.jpg|cat,dog;b.jpg|3,5");
    check("l.tsv", "path\tlabel\na, b.jpg\tcat;dog\n", "path|label;a, b.jpg|cat;dog");
    check("l.csv", "path,labels\na.jpg,cat|dog\nb.jpg,cat\n",
          "path|labels;a.jpg|cat|dog;b.jpg|cat");
    check("l.txt", "path|label\na.jpg|cat\n", "path|label;a.jpg|cat");
    check("l.csv", "sep=;\nfile;label\na,b.jpg;cat\n", "file|label;a,b.jpg|cat");
    check("l.txt", "one.jpg\nan other.jpg\n", "one.jpg;an other.jpg");
    check("l.txt", "two words.jpg\nan other.jpg\n", "two words.jpg;an other.jpg");
    check("train.txt", "n01/a b.JPEG 0\nn02/c.JPEG  17 \n", "n01/a b.JPEG|0;n02/c.JPEG|17");
    check("l.csv", "a.jpg,1\n", "a.jpg|1");
}

static void quotes_spaces_and_line_ends(void **state)
{
    (void)state;
    check("l.csv", "\"a \"\"x\"\", 1.jpg\",\"cat, dog\"\r\n b.jpg , \"two\nlines\" \r\n",
          "a \"x\", 1.jpg|cat, dog;b.jpg|two\nlines ");
    check("l.csv", "\xef\xbb\xbfpath,label\rm.jpg,\rn.jpg,x", "path|label;m.jpg|;n.jpg|x");
    check("l.csv", "\n\n  \na.jpg,x\n\n\n", "a.jpg|x");
    check("l.csv", "a,b,c\n1\n1,2,3,4\n", "a|b|c;1;1|2|3|4");
    check("l.csv", "\"\",\"\"\na,\"b\"c\n", "|;a|bc");
    refused("l.csv", "a,b\nc,\"d\ne\n",
            "l.csv, line 2: the quote that begins here is never closed");
    refused("l.csv", "", "l.csv is empty");
    refused("l.csv", " \n\n", "l.csv is empty");
    refused("l.jsonl", "\n", "l.jsonl is empty");
}

static void lines_are_counted(void **state)
{
    (void)state;
    static const char text[] = "path,label\n\n\"x\ny\",1\r\nz,2\r\n";
    hst_err e = {0};
    hst_table t;
    check_ok(parse("l", text, sizeof text - 1, &t, &e), &e);
    check_ok(hst_table_take_header(&t, &e), &e);
    assert_int_equal(t.n_rows, 2);
    assert_int_equal(t.line[0], 3);
    assert_int_equal(t.line[1], 5);
    assert_string_equal(t.column[1], "label");
    assert_string_equal(hst_table_text(&t, 1, 0), "z");
    assert_null(hst_table_text(&t, 1, 2));
    assert_null(hst_table_text(&t, 2, 0));
    end(&t);
}

static void other_encodings(void **state)
{
    (void)state;
    static const char le[] = "\xff\xfe"
                             "a\0.\0,\0\xf6\0\n\0"
                             "b\0,\0"
                             "\x3d\xd8\x08\xde"
                             "\n\0";
    static const char be[] = "\xfe\xff\0a\0;\0b\0\n";
    static const char lone[] = "\xff\xfe"
                               "a\0,\0\x3d\xd8\n\0";
    check_bytes("l.csv", le, sizeof le - 1, "a.|\xc3\xb6;b|\xf0\x9f\x98\x88");
    check_bytes("l.csv", be, sizeof be - 1, "a|b");
    check_bytes("l.csv", lone, sizeof lone - 1, "a|\xef\xbf\xbd");
    check("l.csv", "l\xf6we.jpg,x\n", "l\xf6we.jpg|x"); /* a path is any bytes */
    refused_bytes("l.csv", "a,b\nc\0,d\n", 9, "l.csv, line 2: holds a zero byte");
}

static void json(void **state)
{
    (void)state;
    check("m.jsonl",
          "{\"file_name\": \"a.jpg\", \"label\": \"cat\"}\n\n{\"label\": 3, \"x\": [1.5, "
          "\"y\"], \"file_name\": \"b.jpg\"}\r\n",
          "#file_name|label|x;a.jpg|cat;b.jpg|3|{1.5,y}");
    check("m.json", "[{\"a\": true, \"b\": {}}, {\"b\": [], \"a\": null}]", "#a|b;true|-;-|{}");
    check("m.json", "[{}, {\"a\": 1}]", "#a;;1");
    check("m.json", "[[\"a.jpg\", \"cat\"], [\"b.jpg\", [\"x\", \"y\"]]]", "a.jpg|cat;b.jpg|{x,y}");
    check("m.json", "{\"a.jpg\": \"cat\", \"b.PNG\": [\"x\", \"y\"]}",
          "#path|label;a.jpg|cat;b.PNG|{x,y}");
    check("m.json", "{\"cat\": [\"a.jpg\", \"b\"], \"dog\": [\"c\"]}",
          "#path|label;a.jpg|cat;b|cat;c|dog");
    check("m.json", "{\"file\": \"a\"}\n{\"file\": \"b\"}\n", "#file;a;b");
    refused("m.json", "{\"a\": 1, \"b\": [2]}", "neither photos with labels nor labels with lists");
    refused("m.json", "[1, 2]", "m.json, entry 1: is neither an object nor a list");
    refused("m.json", "[{\"a\": 1}, [2]]", "m.json, entry 2: objects and lists are mixed");
    refused("m.jsonl", "{\"a\": 1}\n{\"a\": \n", "m.jsonl, line 2: is no JSON object");
    refused("m.json", "[\n1, }", "m.json: not valid JSON");
    refused("m.json", "{}", "m.json: an object of neither");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(separators_are_found),
        cmocka_unit_test(quotes_spaces_and_line_ends),
        cmocka_unit_test(lines_are_counted),
        cmocka_unit_test(other_encodings),
        cmocka_unit_test(json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
