/* hub/url.h: which addresses are asked, who sees credentials, where a redirect leads. */
#include "support.h"

#include "hub/url.h"

#include <stdlib.h>
#include <string.h>

static void https_is_taken_and_http_from_this_machine(void **state)
{
    (void)state;
    static const char *const good[] = {"https://example.org",
                                       "HTTPS://Example.org:8443/a/b?c=d&e=%20#f",
                                       "https://example.org/a+b(c)'*,;=:@!$",
                                       "http://localhost:8000/x",
                                       "http://LOCALHOST/",
                                       "http://127.0.0.1:1/",
                                       "http://[::1]:8080/x"};
    static const char *const bad[] = {"ftp://example.org/",
                                      "example.org/x",
                                      "https://",
                                      "https:///x",
                                      "https://user@example.org/",
                                      "https://user:word@example.org/",
                                      "https://example.org@localhost/",
                                      "https://example.org:99999/",
                                      "https://example.org:port/",
                                      "https://[::1/",
                                      "https://exam ple.org/",
                                      "https://example.org/\xc3\xa9",
                                      "https://example.org/\n",
                                      "http://example.org/",
                                      "http://localhost.example.org/",
                                      "http://127.0.0.2/",
                                      "http://localhost@example.org/",
                                      "http://example.org#@localhost/",
                                      "http://example.org?@localhost/",
                                      "http://[::2]/"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        hst_err e = {0};
        check_ok(hst_url_check(good[i], &e), &e);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        hst_err e = {0};
        if (hst_url_check(bad[i], &e) != HST_EARG || e.code != HST_EARG)
            fail_msg("%s was taken", bad[i]);
    }
    char longest[HST_URL_MAX + 1] = "https://example.org/";
    hst_err e = {0};
    memset(longest + strlen(longest), 'x', sizeof longest - 1 - strlen(longest));
    longest[sizeof longest - 1] = 0;
    assert_int_equal(hst_url_check(longest, &e), HST_EARG);
    longest[HST_URL_MAX - 1] = 0;
    check_ok(hst_url_check(longest, &e), &e);
}

static void an_origin_is_scheme_host_and_port(void **state)
{
    (void)state;
    static const char ours[] = "https://hub.example.org/a?b";
    assert_true(hst_url_same_origin(ours, "https://hub.example.org"));
    assert_true(hst_url_same_origin(ours, "HTTPS://HUB.Example.org:443/other"));
    assert_true(hst_url_same_origin("http://[::1]/", "http://[::1]:80/x"));
    assert_false(hst_url_same_origin(ours, "https://hub.example.org:444/a?b"));
    assert_false(hst_url_same_origin(ours, "https://example.org/a?b"));
    assert_false(hst_url_same_origin(ours, "https://hub.example.org.elsewhere.org/"));
    assert_false(hst_url_same_origin(ours, "https://elsewhere.org/https://hub.example.org/"));
    assert_false(hst_url_same_origin("https://localhost:443/", "http://localhost:443/"));
}

/* RFC 3986, section 5.4, and what hubs send. */
static void a_location_is_seen_from_where_it_was_said(void **state)
{
    (void)state;
    static const char base[] = "https://example.org:8443/b/c/d;p?q";
    static const struct {
        const char *location, *want;
    } cases[] = {{"https://cdn.example.net/x?Signature=a%2Bb+c~&Key=D",
                  "https://cdn.example.net/x?Signature=a%2Bb+c~&Key=D"},
                 {"//cdn.example.net/x", "https://cdn.example.net/x"},
                 {"/g", "https://example.org:8443/g"},
                 {"g", "https://example.org:8443/b/c/g"},
                 {"./g", "https://example.org:8443/b/c/g"},
                 {"g/", "https://example.org:8443/b/c/g/"},
                 {"../g", "https://example.org:8443/b/g"},
                 {"../../../g", "https://example.org:8443/g"},
                 {"g?y", "https://example.org:8443/b/c/g?y"},
                 {"?y", "https://example.org:8443/b/c/d;p?y"}};
    char out[HST_URL_MAX];
    hst_err e = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_ok(hst_url_join(base, cases[i].location, out, &e), &e);
        assert_string_equal(out, cases[i].want);
    }
    assert_int_equal(hst_url_join(base, "https://me@cdn.example.net/", out, &e), HST_ENET);
    assert_int_equal(hst_url_join(base, "https://cdn.example.net:x/", out, &e), HST_ENET);
    char longest[HST_URL_MAX];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = 0;
    assert_int_equal(hst_url_join(base, longest, out, &e), HST_ENET);
    assert_true(hst_url_names_host("https://x/"));
    assert_true(hst_url_names_host("//x/"));
    assert_false(hst_url_names_host("/x://y"));
    assert_false(hst_url_names_host("x/y"));
}

static void the_last_part_of_a_path_is_a_safe_file_name(void **state)
{
    (void)state;
    static const struct {
        const char *url, *want;
    } cases[] = {
        {"https://example.org/a/b.h5?c=/d", "b.h5"}, {"https://example.org/a/b.h5#/c", "b.h5"},
        {"https://example.org/a%2Fb~c", "a_2Fb_c"},  {"https://example.org/..", "download"},
        {"https://example.org/.hidden", "hidden"},   {"https://example.org/", "download"},
        {"https://example.org", "download"}};
    char out[16];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hst_url_file(cases[i].url, out, sizeof out);
        assert_string_equal(out, cases[i].want);
    }
    hst_url_file("https://example.org/0123456789abcdefghi", out, sizeof out);
    assert_string_equal(out, "0123456789abcde");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(https_is_taken_and_http_from_this_machine),
        cmocka_unit_test(an_origin_is_scheme_host_and_port),
        cmocka_unit_test(a_location_is_seen_from_where_it_was_said),
        cmocka_unit_test(the_last_part_of_a_path_is_a_safe_file_name),
    };
    return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
