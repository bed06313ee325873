/* The tokenizer.  Its parity with CLIP's own is tests/parity/test_clip.c; here: closed forms, learning, round trips and
 * files that are wrong. */
#include "core/io/bpe.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/text.h"
#include "core/io/file.h"
#include "tests/support/support.h"

enum { CONTEXT = 16 };

static const char *const texts[] = {"low low low low low", "lower lower", "newest newest newest newest newest newest",
                                    "widest widest widest"};

static hs_bpe *learnt(size_t merges)
{
    hs_bpe *t = NULL;
    assert_ok(hs_bpe_learn(4, texts, merges, &t));
    return t;
}

/* The ids of a text; returns how many. */
static size_t ids_of(const hs_bpe *t, const char *text, int32_t ids[CONTEXT])
{
    size_t n = 0;
    assert_ok(hs_bpe_encode(t, text, CONTEXT, 0, ids, &n));
    return n;
}

/* The vocabulary of bytes: '!' is 0, so a letter is itself - 33; at a word's end 256 more. */
static void test_bytes(void **state)
{
    (void)state;
    hs_bpe *t = learnt(0);
    int32_t ids[CONTEXT];
    assert_int_equal(hs_bpe_vocab(t), 514);
    assert_int_equal(hs_bpe_begin(t), 512);
    assert_int_equal(hs_bpe_end(t), 513);
    assert_int_equal(ids_of(t, "Ab  c\n9!?", ids), 8);
    const int32_t want[CONTEXT] = {512, 'a' - 33, 'b' - 33 + 256, 'c' - 33 + 256, '9' - 33 + 256, 0, '?' - 33 + 256,
                                   513};
    assert_memory_equal(ids, want, 8 * sizeof *ids);
    for (size_t i = 8; i < CONTEXT; i++) {
        assert_int_equal(ids[i], 513);
    }
    assert_int_equal(ids_of(t, "", ids), 2);
    /* an e with its accent composed or not; a snow man is three bytes of no merge */
    int32_t other[CONTEXT];
    assert_int_equal(ids_of(t, "\xc3\xa9", ids), 4);
    assert_int_equal(ids_of(t, "e\xcc\x81", other), 4);
    assert_memory_equal(ids, other, sizeof ids);
    assert_int_equal(ids_of(t, "\xe2\x98\x83", ids), 5);
    /* special tokens written out; contractions; every digit by itself */
    assert_int_equal(ids_of(t, "a<|endoftext|>b", ids), 5);
    assert_int_equal(ids[2], 513);
    assert_int_equal(ids_of(t, "it's", ids), 6);
    assert_int_equal(ids[4], 's' - 33 + 256);
    assert_int_equal(ids_of(t, "12", ids), 4);
    assert_int_equal(ids[1], '1' - 33 + 256);
    hs_bpe_free(t);
}

/* The article's own example: e s, es t</w>, l o, ... */
static void test_learning(void **state)
{
    (void)state;
    int32_t ids[CONTEXT];
    hs_bpe *t = learnt(3); /* (e, s) 9, (es, t</w>) 9, then (l, o) 7 */
    assert_int_equal(hs_bpe_vocab(t), 517);
    assert_int_equal(ids_of(t, "newest", ids), 6); /* n e w est</w> */
    assert_int_equal(ids[4], 513);
    assert_int_equal(ids_of(t, "lowest", ids), 5); /* lo w est</w> */
    assert_int_equal(ids[1], 514);
    hs_bpe_free(t);
    t = learnt(1000); /* ends where no pair occurs twice */
    assert_int_equal(ids_of(t, "low lower newest widest", ids), 6);
    assert_int_equal(ids_of(t, "news", ids), 4);
    assert_true(hs_bpe_vocab(t) < 560);
    hs_bpe *none = NULL;
    const char *bad = "\xff";
    assert_code(hs_bpe_learn(0, texts, 4, &none), HS_ERANGE);
    assert_code(hs_bpe_learn(4, texts, 65537, &none), HS_ERANGE);
    assert_code(hs_bpe_learn(1, &bad, 4, &none), HS_ERANGE);
    assert_null(none);
    hs_bpe_free(t);
}

static void test_context(void **state)
{
    (void)state;
    hs_bpe *t = learnt(0);
    int32_t ids[CONTEXT] = {7};
    size_t n = 99;
    assert_code(hs_bpe_encode(t, "abcdefgh", 9, 0, ids, &n), HS_ERANGE);
    assert_int_equal(ids[0], 7); /* untouched */
    assert_int_equal(n, 99);
    assert_ok(hs_bpe_encode(t, "abcdefgh", 9, 1, ids, &n));
    assert_int_equal(n, 9);
    assert_int_equal(ids[7], 'g' - 33);
    assert_int_equal(ids[8], 513);
    assert_ok(hs_bpe_encode(t, "abcdefgh", 10, 0, ids, &n));
    assert_int_equal(n, 10);
    assert_code(hs_bpe_encode(t, "a", 1, 1, ids, &n), HS_ERANGE);
    assert_code(hs_bpe_encode(t, "\xc3", CONTEXT, 0, ids, &n), HS_ERANGE);
    char *huge = calloc(16386, 1);
    memset(huge, 'x', 16385);
    assert_code(hs_bpe_encode(t, huge, CONTEXT, 1, ids, &n), HS_ERANGE);
    /* what grows most under NFC (U+1D160, 4 bytes to 12) and lower case (U+0130, 2 to 3) */
    for (size_t i = 0; i < 4000; i++) {
        memcpy(huge + 4 * i, i % 2 ? "\xf0\x9d\x85\xa0" : "\xc4\xb0\xc4\xb0", 4);
    }
    huge[16000] = '\0';
    assert_ok(hs_bpe_encode(t, huge, CONTEXT, 1, ids, &n));
    free(huge);
    hs_bpe_free(t);
}

/* A folder with these two files; NULL: absent. */
static const char *folder_of(const char *vocab, const char *merges)
{
    static char folder[4096];
    char path[4200];
    snprintf(folder, sizeof folder, "%s", temp_path("bpe"));
    mkdir(folder, 0700);
    snprintf(path, sizeof path, "%s/vocab.json", folder);
    if (vocab != NULL) {
        assert_ok(hs_file_write_atomic(path, vocab, strlen(vocab), 1));
    }
    snprintf(path, sizeof path, "%s/merges.txt", folder);
    if (merges != NULL) {
        assert_ok(hs_file_write_atomic(path, merges, strlen(merges), 1));
    }
    return folder;
}

static void test_round_trip(void **state)
{
    (void)state;
    hs_bpe *t = learnt(12), *u = NULL;
    const char *folder = folder_of(NULL, NULL);
    assert_ok(hs_bpe_save(t, folder));
    assert_ok(hs_bpe_open(folder, &u));
    assert_int_equal(hs_bpe_vocab(u), hs_bpe_vocab(t));
    const char *tries[] = {"newest", "lower", "the widest", "\xe2\x98\x83 low", "low<|startoftext|>"};
    for (size_t i = 0; i < 5; i++) {
        int32_t a[CONTEXT], b[CONTEXT];
        assert_int_equal(ids_of(t, tries[i], a), ids_of(u, tries[i], b));
        assert_memory_equal(a, b, sizeof a);
    }
    assert_code(hs_bpe_save(t, "/nowhere/at/all"), HS_EIO);
    hs_bpe_free(t);
    hs_bpe_free(u);
}

static void test_bad_files(void **state)
{
    (void)state;
    hs_bpe *t = learnt(0), *u = NULL;
    const char *folder = folder_of(NULL, NULL);
    char path[4200];
    unsigned char *good = NULL;
    size_t len;
    assert_ok(hs_bpe_save(t, folder));
    hs_bpe_free(t);
    static const char *const merges[] = {"e s\ne s\n", "e\n", "e s t\n", "e  s\n", " e\n", "e zz\n", "e s\n"};
    for (size_t i = 0; i < 7; i++) { /* the last: "es" isn't in the vocabulary; the first: twice, besides */
        assert_code(hs_bpe_open(folder_of(NULL, merges[i]), &u), HS_EFORMAT);
    }
    snprintf(path, sizeof path, "%s/vocab.json", folder);
    assert_ok(hs_file_read(path, 1 << 20, &good, &len));
    static const char *const vocab[] = {
        "[1]", "{}", "{\"a\": 0", "{\"a\": \"b\"}", "{\"a\": 1}", "{\"a\": 0, \"b\": 0}", "{\"a\": 0}"};
    for (size_t i = 0; i < 7; i++) { /* the last: bytes without an id */
        assert_code(hs_bpe_open(folder_of(vocab[i], "#version: 0.2\n"), &u), HS_EFORMAT);
    }
    char *twice = malloc(len + 64);
    memcpy(twice, good, len - 1);
    strcpy(twice + len - 1, ",\"es\":514}");
    assert_code(hs_bpe_open(folder_of(twice, "e s\ne s\n"), &u), HS_EFORMAT);
    assert_non_null(strstr(hs_error_message(), "merge 2 joins the pair of merge 1 again"));
    assert_ok(hs_bpe_open(folder_of(NULL, "e s\r\n\n"), &u));
    hs_bpe_free(u);
    u = NULL;
    hs_str many = {0};
    hs_str_add(&many, "{");
    for (size_t i = 0; i <= (size_t)1 << 20; i++) {
        hs_str_addf(&many, "%s\"%zu\":%zu", i > 0 ? "," : "", i, i);
    }
    hs_str_add(&many, "}");
    assert_code(hs_bpe_open(folder_of(many.s, ""), &u), HS_ELIMIT);
    hs_str_free(&many);
    assert_code(hs_bpe_open("/nowhere/at/all", &u), HS_EIO);
    assert_null(u);
    free(good), free(twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),      cmocka_unit_test(test_learning),  cmocka_unit_test(test_context),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_bad_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
