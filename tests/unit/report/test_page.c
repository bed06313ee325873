/* analysis/report: the page is whole, self-contained and inert, whatever the files say. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/report/page.h"
#include "core/io/file.h"
#include "core/io/image.h"
#include "tests/support/support.h"

static void put(const char *path, const char *text)
{
    assert_ok(hs_file_write_atomic(path, text, strlen(text), 1));
}

static size_t count(const char *in, const char *what)
{
    size_t n = 0;
    for (const char *s = in; (s = strstr(s, what)) != NULL; s++) {
        n++;
    }
    return n;
}

static const char evil[] = "<script>alert(1)</script>\"'&\xe2\x80\xae\xff\x1b[2J";

static void test_every_text_is_escaped(void **state)
{
    (void)state;
    hs_page *p;
    const char *path = temp_path("e.html"), *cell[2] = {evil, "1.5"}, *head[2] = {evil, "x"};
    const hs_page_pair pair[2] = {{evil, evil}, {"left out", NULL}};
    assert_ok(hs_page_begin(evil, evil, evil, &p));
    hs_page_section(p, evil);
    hs_page_text(p, evil);
    hs_page_code(p, evil);
    hs_page_pairs(p, 2, pair);
    hs_page_table(p, 2, head, 1, cell);
    assert_ok(hs_page_commit(p, path, 0));
    hs_page_free(p);
    char *html = read_text(path);
    assert_null(strstr(html, "<script"));
    assert_null(strstr(html, "\x1b"));
    assert_null(strstr(html, "\xe2\x80\xae"));
    assert_int_equal(count(html, "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"), 11);
    assert_non_null(strstr(html, "<td class=\"n\">1.5</td>"));
    assert_null(strstr(html, "left out"));
    assert_non_null(strstr(html, "default-src 'none'"));
    free(html);
}

static void test_svg_ids_are_unique_and_links_refused(void **state)
{
    (void)state;
    hs_page *p;
    char svg[256];
    const char *path = temp_path("s.html");
    snprintf(svg, sizeof svg, "%s", temp_path("a.svg"));
    put(svg, "<?xml version=\"1.0\"?>\n<svg viewBox=\"0 0 1 1\"><title>t</title><circle id='c'/><use xlink:href='#c'/>"
             "<g fill=\"url(#c)\"/></svg>\n");
    assert_ok(hs_page_begin("t", NULL, NULL, &p));
    assert_ok(hs_page_svg(p, svg, "a circle", "caption"));
    assert_ok(hs_page_svg(p, svg, "a circle", NULL));
    static const char *const bad[] = {"hello",
                                      "<svg>",
                                      "<svg></svg><p>",
                                      "<svg><script>1</script></svg>",
                                      "<svg><a href=\"http://x/\"/></svg>",
                                      "<svg onload=\"x\"></svg>",
                                      "<svg><image href='data:text/html,x'/></svg>",
                                      "<svg><foreignObject/></svg>"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put(svg, bad[i]);
        assert_code(hs_page_svg(p, svg, "x", NULL), HS_EFORMAT);
    }
    assert_code(hs_page_svg(p, temp_path("absent.svg"), "x", NULL), HS_EIO);
    assert_ok(hs_page_commit(p, path, 0));
    hs_page_free(p);
    char *html = read_text(path);
    assert_int_equal(count(html, "<svg"), 2);
    assert_int_equal(count(html, " id='f1-c'"), 1);
    assert_int_equal(count(html, "href='#f1-c'"), 1);
    assert_int_equal(count(html, "url(#f2-c)"), 1);
    assert_null(strstr(html, "<title>t</title><circle"));
    assert_null(strstr(html, "<?xml"));
    free(html);
}

static void test_png_is_embedded_and_marked(void **state)
{
    (void)state;
    hs_page *p;
    char png[256], path[256];
    uint8_t px[12] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9};
    snprintf(png, sizeof png, "%s", temp_path("a.png"));
    snprintf(path, sizeof path, "%s", temp_path("p.html"));
    assert_ok(hs_image_write(png, &(hs_image){2, 2, 3, px}, 1));
    assert_ok(hs_page_begin("t", NULL, "untrained", &p));
    assert_ok(hs_page_png(p, png, "four", "c"));
    assert_code(hs_page_png(p, temp_path("b.png"), "x", NULL), HS_EIO);
    put(png, "\xff\xd8\xff\xe0");
    assert_code(hs_page_png(p, png, "x", NULL), HS_EFORMAT);
    assert_ok(hs_page_commit(p, path, 0));
    assert_code(hs_page_commit(p, path, 0), HS_ERANGE);
    hs_page_free(p);
    char *html = read_text(path);
    assert_int_equal(count(html, "<span class=\"mark\">untrained</span>"), 2); /* title and picture */
    /* A PNG begins 89 50 4E 47 0D 0A 1A 0A 00. */
    assert_int_equal(count(html, "src=\"data:image/png;base64,iVBORw0KGgoA"), 1);
    free(html);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_text_is_escaped),
        cmocka_unit_test(test_svg_ids_are_unique_and_links_refused),
        cmocka_unit_test(test_png_is_embedded_and_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
