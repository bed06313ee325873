/* core/io/pickle: the rows PK01-PK24, PT01-PT14 that need no archive, and what is accepted. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/io/pickle.h"
#include "tests/support/support.h"

/* Reads from memory of exactly the size, so that a byte too many is seen by AddressSanitizer. */
static int load(const void *bytes, size_t len, hs_pickle *out)
{
    unsigned char *copy = malloc(len + (len == 0));
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    int rc = hs_pickle_read(copy, len, NULL, out);
    free(copy);
    return rc;
}

#define B(text) text, sizeof(text) - 1

/* Pieces of a tensor's pickle: a FloatStorage KEY of NUMEL (one byte), offset, size, stride. */
#define STR1(c)                            "X\x01\0\0\0" c
#define STORAGE_OF(type, key, num)         "(X\x07\0\0\0storagectorch\n" type "\n" key "X\x03\0\0\0cpu" num "tQ"
#define STORAGE(key, num)                  STORAGE_OF("FloatStorage", key, num)
#define REBUILD                            "ctorch._utils\n_rebuild_tensor_v2\n"
#define HOOKS                              "\x89}"
#define TENSOR(storage, off, size, stride) REBUILD "(" storage off size stride HOOKS "tR"
#define NUM(c)                             "K" c
#define BIG_MAX                            "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"
#define MINUS1                             "J\xff\xff\xff\xff"
#define GOOD \
    TENSOR(STORAGE(STR1("0"), NUM("\x06")), NUM("\0"), NUM("\x02") NUM("\x03") "\x86", NUM("\x03") NUM("\x01") "\x86")

typedef struct {
    const char *id, *bytes;
    size_t len;
    int code;
    const char *says;
    size_t tensors;
} case_;

static const case_ cases[] = {
    {"good", B("\x80\x02" GOOD "."), HS_OK, "", 1},
    {"PK01", B("cos\nsystem\nX\x02\0\0\0id\x85R."), HS_EFORMAT, "global os.system", 0},
    {"PK02 STACK_GLOBAL", B("\x93."), HS_EFORMAT, "opcode 0x93 at 0", 0},
    {"PK02 INST", B("(ios\nsystem\n."), HS_EFORMAT, "opcode 0x69 at 1", 0},
    {"PK02 OBJ", B("(o."), HS_EFORMAT, "opcode 0x6f at 1", 0},
    {"PK03 EXT1", B("\x82\x01."), HS_EFORMAT, "opcode 0x82", 0},
    {"PK03 NEWOBJ", B("\x81."), HS_EFORMAT, "opcode 0x81", 0},
    {"PK03 NEWOBJ_EX", B("\x92."), HS_EFORMAT, "opcode 0x92", 0},
    {"PK03 EMPTY_SET", B("\x8f."), HS_EFORMAT, "opcode 0x8f", 0},
    {"PK04 BINBYTES8", B("\x8e\xff\xff\xff\xff\xff\xff\xff\xff."), HS_EFORMAT, "opcode 0x8e", 0},
    {"PK04 FRAME", B("\x95\0\0\0\0\0\0\0\0."), HS_EFORMAT, "opcode 0x95", 0},
    {"PK05 DUP", B("N2."), HS_EFORMAT, "opcode 0x32 at 1", 0},
    {"PK05 POP", B("NN0."), HS_EFORMAT, "opcode 0x30", 0},
    {"PK05 PERSID", B("Px\n."), HS_EFORMAT, "opcode 0x50", 0},
    {"PK07", B("Nr\xff\xff\xff\xff."), HS_EFORMAT, "memo index", 0},
    {"PK08", B("Nq\x03."), HS_EFORMAT, "memo index", 0},
    {"PK08 within", B("Nq\x01."), HS_OK, "", 0},
    {"PK09", B("Nq\x01h\x00."), HS_EFORMAT, "isn't set", 0},
    {"PK09 none", B("h\x05."), HS_EFORMAT, "isn't set", 0},
    {"PK09 long", B("j\xff\xff\xff\xff."), HS_EFORMAT, "isn't set", 0},
    {"PK10", B("X\xff\xff\xff\xff"), HS_EFORMAT, "ends inside", 0},
    {"PK11",
     B("U\xff"
       "abc"),
     HS_EFORMAT, "ends inside", 0},
    {"PK13", B("N"), HS_EFORMAT, "no STOP", 0},
    {"PK13 empty", B(""), HS_EFORMAT, "no STOP", 0},
    {"PK14", B("N.N"), HS_EFORMAT, "after STOP", 0},
    {"PK15 REDUCE", B("R."), HS_EFORMAT, "nothing on the stack", 0},
    {"PK15 BUILD", B("b."), HS_EFORMAT, "nothing on the stack", 0},
    {"PK15 SETITEM", B("s."), HS_EFORMAT, "SETITEM", 0},
    {"PK15 STOP", B("."), HS_EFORMAT, "STOP", 0},
    {"PK15 BINPUT", B("q\0."), HS_EFORMAT, "nothing on the stack", 0},
    {"PK15 two", B("NN."), HS_EFORMAT, "STOP", 0},
    {"PK15 mark left", B("(N."), HS_EFORMAT, "STOP", 0},
    {"PK15 under mark", B("N(R."), HS_EFORMAT, "nothing on the stack", 0},
    {"PK15 tuple under mark", B("N(\x85."), HS_EFORMAT, "nothing on the stack", 0},
    {"PK16", B("Nt."), HS_EFORMAT, "no mark", 0},
    {"PK16 APPENDS", B("]Ne."), HS_EFORMAT, "no mark", 0},
    {"PK17", B("}(Nu."), HS_EFORMAT, "odd", 0},
    {"PK18 list", B("]K\0Ns."), HS_EFORMAT, "isn't a dict", 0},
    {"PK18 tuple", B(")K\0Ns."), HS_EFORMAT, "isn't a dict", 0},
    {"PK18 storage", B(STORAGE(STR1("0"), NUM("\x06")) "K\0Ns."), HS_EFORMAT, "isn't a dict", 0},
    {"PK18 tensor", B(GOOD "K\0Ns."), HS_EFORMAT, "isn't a dict", 0},
    {"PK19", B("}Na."), HS_EFORMAT, "isn't a list", 0},
    {"list as key", B("}]Ns."), HS_EFORMAT, "key", 0},
    {"PK22", B("]q\0h\0a."), HS_EFORMAT, "contains itself", 0},
    {"PK22 cycle", B("]q\1h\1a."), HS_EFORMAT, "contains itself", 0},
    {"PK22 dict", B("}q\1K\0h\1s."), HS_EFORMAT, "contains itself", 0},
    {"PK23 no newline", B("cos"), HS_EFORMAT, "global's name", 0},
    {"PK23 NUL", B("co\0s\nsystem\n."), HS_EFORMAT, "global's name", 0},
    {"PK23 not UTF-8", B("c\xff\xfe\nx\n."), HS_EFORMAT, "global's name", 0},
    {"PK24 not a tuple", B(REBUILD "NR."), HS_EFORMAT, "REDUCE", 0},
    {"PK24 no global", B("N)R."), HS_EFORMAT, "REDUCE", 0},
    {"PK24 none", B(REBUILD ")R."), HS_EFORMAT, "0 arguments", 0},
    {"PK24 five", B(REBUILD "(NNNNNtR."), HS_EFORMAT, "5 arguments", 0},
    {"PK24 eight", B(REBUILD "(NNNNNNNNtR."), HS_EFORMAT, "8 arguments", 0},
    {"PK24 kinds", B(REBUILD "(NNNNNNtR."), HS_EFORMAT, "wrong kind", 0},
    {"PK24 offset", B(TENSOR(STORAGE(STR1("0"), NUM("\x06")), "N", ")", ")") "."), HS_EFORMAT, "wrong kind", 0},
    {"PK24 size", B(TENSOR(STORAGE(STR1("0"), NUM("\x06")), NUM("\0"), "N", ")") "."), HS_EFORMAT, "size", 0},
    {"PK24 size of text", B(TENSOR(STORAGE(STR1("0"), NUM("\x06")), NUM("\0"), STR1("2") "\x85", NUM("\1") "\x85") "."),
     HS_EFORMAT, "size", 0},
    {"call a storage", B("ctorch\nFloatStorage\n)R."), HS_EFORMAT, "called", 0},
    {"OrderedDict of arguments", B("ccollections\nOrderedDict\nN\x85R."), HS_EFORMAT, "OrderedDict", 0},
    {"parameter", B("ctorch._utils\n_rebuild_parameter\n(" GOOD HOOKS "tR."), HS_OK, "", 1},
    {"parameter of none", B("ctorch._utils\n_rebuild_parameter\n(N" HOOKS "tR."), HS_EFORMAT, "_rebuild_parameter", 0},
    {"BUILD", B("}}b."), HS_OK, "", 0},
    {"BUILD on a tensor", B(GOOD "}b."), HS_EFORMAT, "BUILD", 0},
    {"protocol 4", B("\x80\x04N."), HS_EFORMAT, "protocol 4", 0},
    {"bad UTF-8", B("X\x01\0\0\0\xff."), HS_EFORMAT, "UTF-8", 0},
    {"persistent id", B("NQ."), HS_EFORMAT, "tuple of 5", 0},
    {"persistent id of text", B("(NNNNNtQ."), HS_EFORMAT, "isn't a storage", 0},
    {"PT02 path", B(STORAGE("X\x07\0\0\0../../x", NUM("\x06")) "."), HS_EFORMAT, "plain number", 0},
    {"PT02 00",
     B(STORAGE("X\x02\0\0\0"
               "00",
               NUM("\x06")) "."),
     HS_EFORMAT, "plain number", 0},
    {"PT02 empty", B(STORAGE("X\0\0\0\0", NUM("\x06")) "."), HS_EFORMAT, "plain number", 0},
    {"PT02 letters", B(STORAGE(STR1("a"), NUM("\x06")) "."), HS_EFORMAT, "plain number", 0},
    {"PT02 long",
     B(STORAGE("X\x0b\0\0\0"
               "12345678901",
               NUM("\x06")) "."),
     HS_EFORMAT, "plain number", 0},
    {"PT03", B("(" STORAGE(STR1("0"), NUM("\x06")) STORAGE_OF("HalfStorage", STR1("0"), NUM("\x06")) "t."), HS_EFORMAT,
     "two types", 0},
    {"PT03 lengths", B("(" STORAGE(STR1("0"), NUM("\x06")) STORAGE(STR1("0"), NUM("\x07")) "t."), HS_EFORMAT,
     "two types", 0},
    {"numel -1", B(STORAGE(STR1("0"), MINUS1) "."), HS_EFORMAT, "isn't a storage", 0},
    {"PT05", B(TENSOR(STORAGE(STR1("0"), NUM("\x06")), MINUS1, ")", ")") "."), HS_EFORMAT, "wrong kind", 0},
    {"PT06", B(TENSOR(STORAGE(STR1("0"), NUM("\x06")), BIG_MAX, ")", ")") "."), HS_EFORMAT, "beyond", 0},
    {"PT06 wraps", B(TENSOR(STORAGE(STR1("0"), NUM("\x06")), BIG_MAX, NUM("\x03") "\x85", BIG_MAX "\x85") "."),
     HS_EFORMAT, "beyond", 0},
    {"PT07", B(TENSOR(STORAGE(STR1("0"), NUM("\x06")), NUM("\0"), MINUS1 "\x85", NUM("\1") "\x85") "."), HS_EFORMAT,
     "size", 0},
    {"PT07 stride", B(TENSOR(STORAGE(STR1("0"), NUM("\x06")), NUM("\0"), NUM("\2") "\x85", MINUS1 "\x85") "."),
     HS_EFORMAT, "stride", 0},
    {"PT08", B(TENSOR(STORAGE(STR1("0"), NUM("\x06")), NUM("\0"), NUM("\2") "\x85", ")") "."), HS_EFORMAT, "strides",
     0},
    {"PT10",
     B(TENSOR(STORAGE(STR1("0"), NUM("\x06")), NUM("\1"), NUM("\x02") NUM("\x03") "\x86",
              NUM("\x03") NUM("\1") "\x86") "."),
     HS_EFORMAT, "beyond", 0},
    {"PT10 scalar", B(TENSOR(STORAGE(STR1("0"), NUM("\x06")), NUM("\x06"), ")", ")") "."), HS_EFORMAT, "beyond", 0},
    {"scalar", B(TENSOR(STORAGE(STR1("0"), NUM("\x06")), NUM("\x05"), ")", ")") "."), HS_OK, "", 1},
    {"empty at the end",
     B(TENSOR(STORAGE(STR1("0"), NUM("\x06")), NUM("\x06"), NUM("\0") "\x85", NUM("\1") "\x85") "."), HS_OK, "", 1},
    {"empty beyond", B(TENSOR(STORAGE(STR1("0"), NUM("\x06")), NUM("\x07"), NUM("\0") "\x85", NUM("\1") "\x85") "."),
     HS_EFORMAT, "beyond", 0},
    {"NUL in a name", B("}X\x02\0\0\0a\0" GOOD "s."), HS_EFORMAT, "NUL", 0},
    {"None as a name", B("}N" GOOD "s."), HS_EFORMAT, "neither text nor", 0},
    {"PT13 tied", B("(" GOOD GOOD "t."), HS_OK, "", 2},
    {"LONG1 of nothing", B("\x8a\0."), HS_OK, "", 0},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const case_ *c = &cases[i];
        hs_pickle p = {0};
        int rc = load(c->bytes, c->len, &p);
        if (rc != c->code || (rc != HS_OK && strstr(hs_error_message(), c->says) == NULL) || p.n != c->tensors) {
            fail_msg("%s gave %d (%s) and %zu tensors; wanted %d \"%s\"", c->id, rc, hs_error_message(), p.n, c->code,
                     c->says);
        }
        hs_pickle_free(&p);
    }
}

/* PK06: every byte as the first opcode, with a plausible tail. */
static void test_every_opcode(void **state)
{
    (void)state;
    static const char accepted_alone[] = "N)]}\x88\x89";
    for (int op = 0; op < 256; op++) {
        char bytes[12] = {(char)op, '.'};
        hs_pickle p = {0};
        int legal = op != 0 && strchr(accepted_alone, op) != NULL;
        assert_int_equal(load(bytes, 2, &p), legal ? HS_OK : HS_EFORMAT);
        int rc = load(bytes, sizeof bytes, &p);
        assert_true(rc == HS_OK || rc == HS_EFORMAT);
        hs_pickle_free(&p);
    }
}

/* Every cut and every single changed byte of a good pickle ends in one of the two codes. */
static void test_cuts_and_flips(void **state)
{
    (void)state;
    static const char good[] = "\x80\x02}q\1X\x01\0\0\0w" GOOD "s.";
    enum { LEN = sizeof good - 1 };
    hs_pickle p = {0};
    assert_ok(load(good, LEN, &p));
    assert_string_equal(p.t[0].name, "w");
    assert_string_equal(p.t[0].key, "0");
    assert_int_equal(p.t[0].rank, 2);
    assert_int_equal(p.t[0].dim[0] * 10 + p.t[0].dim[1], 23);
    assert_int_equal(p.t[0].stride[0] * 10 + p.t[0].stride[1], 31);
    hs_pickle_free(&p);
    for (size_t len = 0; len < LEN; len++) {
        assert_code(load(good, len, &p), HS_EFORMAT);
    }
    for (size_t i = 0; i < LEN; i++) {
        for (int flip = 1; flip < 256; flip++) {
            char bytes[LEN];
            memcpy(bytes, good, LEN);
            bytes[i] = (char)(bytes[i] ^ flip);
            int rc = load(bytes, LEN, &p);
            assert_true(rc == HS_OK || rc == HS_EFORMAT || rc == HS_ELIMIT);
            hs_pickle_free(&p);
        }
    }
}

/* PK12, PT14: LONG1 of 255 and 200 bytes. */
static void test_long_integers(void **state)
{
    (void)state;
    unsigned char bytes[258] = {0x8a, 255};
    hs_pickle p = {0};
    assert_code(load(bytes, 200, &p), HS_EFORMAT);
    bytes[257] = '.';
    assert_code(load(bytes, 258, &p), HS_EFORMAT);
    assert_non_null(strstr(hs_error_message(), "64 bits"));
    bytes[1] = 200;
    bytes[202] = '.';
    assert_code(load(bytes, 203, &p), HS_EFORMAT);
}

static char *repeat(const char *head, const char *piece, size_t n, const char *tail, size_t *len)
{
    size_t a = strlen(head), b = strlen(piece), c = strlen(tail);
    char *s = malloc(a + n * b + c + 1);
    memcpy(s, head, a);
    for (size_t i = 0; i < n; i++) {
        memcpy(s + a + i * b, piece, b);
    }
    memcpy(s + a + n * b, tail, c);
    *len = a + n * b + c;
    return s;
}

/* PK20 and its like: a million of each within two seconds and the limits. */
static void test_a_million(void **state)
{
    (void)state;
    static const struct {
        const char *head, *piece, *tail;
        int code;
    } many[] = {{"", "(", ".", HS_EFORMAT},  {"N", "\x85", ".", HS_ELIMIT}, {"N", "]", ".", HS_ELIMIT},
                {"(", "N", "t.", HS_ELIMIT}, {"]", "]a", ".", HS_ELIMIT},   {"Nq\x01", "h\x01", ".", HS_ELIMIT}};
    for (size_t i = 0; i < sizeof many / sizeof *many; i++) {
        size_t len;
        char *s = repeat(many[i].head, many[i].piece, i == 0 ? 1000000 : 1000001, many[i].tail, &len);
        hs_pickle p = {0};
        clock_t start = clock();
        assert_code(load(s, len, &p), many[i].code);
        assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 2);
        free(s);
    }
    size_t len;
    char *s = repeat("N", "\x85", 900000, ".", &len); /* deep, within the limits */
    hs_pickle p = {0};
    assert_ok(load(s, len, &p));
    free(s);
}

static void test_limits(void **state)
{
    (void)state;
    const hs_pickle_limits small = {1000, 5, 4, 1};
    hs_pickle p = {0};
    assert_ok(hs_pickle_read((const unsigned char *)"(NNNt.", 6, &small, &p));
    assert_code(hs_pickle_read((const unsigned char *)"(NNNNt.", 7, &small, &p), HS_ELIMIT);
    assert_code(hs_pickle_read((const unsigned char *)"(NNNNNt.", 1001, &small, &p), HS_ELIMIT);
    const hs_pickle_limits one = {1000, 1000, 1000, 1};
    assert_code(hs_pickle_read((const unsigned char *)"(" GOOD GOOD "t.", sizeof("(" GOOD GOOD "t.") - 1, &one, &p),
                HS_ELIMIT);
}

/* PK21: 2^60 paths.  Without tensors at their ends nothing is named; with one, the count ends it. */
static void test_billion_laughs(void **state)
{
    (void)state;
    for (int with = 0; with < 2; with++) {
        char s[2048];
        size_t n = 0;
        s[n++] = '(';
        if (with) {
            memcpy(s + n, GOOD, sizeof GOOD - 1);
            n += sizeof GOOD - 1;
        } else {
            s[n++] = ']';
        }
        s[n++] = 'q';
        s[n++] = 0;
        for (int i = 0; i < 20; i++) {
            s[n++] = 'h';
            s[n++] = (char)i;
            s[n++] = 'h';
            s[n++] = (char)i;
            s[n++] = (char)0x86;
            s[n++] = 'q';
            s[n++] = (char)(i + 1);
        }
        s[n++] = 't';
        s[n++] = '.';
        hs_pickle p = {0};
        clock_t start = clock();
        assert_code(load(s, n, &p), with ? HS_ELIMIT : HS_OK);
        assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 1);
        hs_pickle_free(&p);
    }
}

/* PK21 as the table has it: 60 levels. */
static void test_billion_laughs_of_sixty(void **state)
{
    (void)state;
    char s[1024];
    size_t n = 0;
    memcpy(s, "(]q\0", 4);
    n = 4;
    for (int i = 0; i < 60; i++) {
        const char step[] = {'h', (char)i, 'h', (char)i, (char)0x86, 'q', (char)(i + 1)};
        memcpy(s + n, step, sizeof step);
        n += sizeof step;
    }
    memcpy(s + n, "t.", 2);
    hs_pickle p = {0};
    assert_ok(load(s, n + 2, &p));
    assert_int_equal(p.n, 0);
}

/* PK23: a name of 10 MB. */
static void test_long_global(void **state)
{
    (void)state;
    size_t len;
    char *s = repeat("c", "o", 10000000, "\nx\n.", &len);
    hs_pickle p = {0};
    assert_code(load(s, len, &p), HS_EFORMAT);
    assert_in_range(strlen(hs_error_message()), 1, 400);
    free(s);
}

/* PT09: more dimensions than there may be. */
static void test_rank(void **state)
{
    (void)state;
    for (int rank = 16; rank <= 65; rank += rank == 16 ? 1 : 48) {
        char s[1024];
        size_t n = 0;
        static const char head[] = REBUILD "(" STORAGE(STR1("0"), NUM("\x06")) NUM("\0");
        memcpy(s, head, sizeof head - 1);
        n = sizeof head - 1;
        for (int k = 0; k < 2; k++) {
            s[n++] = '(';
            for (int i = 0; i < rank; i++) {
                s[n++] = 'K';
                s[n++] = 1;
            }
            s[n++] = 't';
        }
        memcpy(s + n, HOOKS "tR.", 5);
        hs_pickle p = {0};
        assert_code(load(s, n + 5, &p), rank == 16 ? HS_OK : HS_EFORMAT);
        hs_pickle_free(&p);
    }
}

/* Nested dicts and lists, integer keys, None and scalars among them, as Python wrote them:
 * pickle.dumps({"a": {5: T}, "l": [None, 3.5, T], "n": None}) with T our tensor. */
static void test_names(void **state)
{
    (void)state;
    static const char s[] =
        "\x80\x02}(" STR1("a") "}K\x05" GOOD "s" STR1("l") "](NG\x40\x0c\0\0\0\0\0\0" GOOD "e" STR1("n") "Nu.";
    hs_pickle p = {0};
    assert_ok(load(s, sizeof s - 1, &p));
    assert_int_equal(p.n, 2);
    assert_string_equal(p.t[0].name, "a.5");
    assert_string_equal(p.t[1].name, "l.2");
    hs_pickle_free(&p);
}

/* Names: at most 4096 bytes and 64 levels. */
static void test_deep_names(void **state)
{
    (void)state;
    for (size_t depth = 63; depth <= 64; depth++) {
        char s[1024];
        size_t n = sizeof GOOD - 1;
        memcpy(s, GOOD, n);
        for (size_t i = 0; i <= depth; i++) {
            s[n++] = (char)0x85;
        }
        s[n++] = '.';
        hs_pickle p = {0};
        assert_code(load(s, n, &p), depth == 63 ? HS_OK : HS_EFORMAT);
        hs_pickle_free(&p);
    }
    char *s = calloc(1, 8192);
    memcpy(s, "}X\x01\x10\0\0", 6); /* 4097 */
    memset(s + 6, 'n', 4097);
    memcpy(s + 6 + 4097, GOOD "s.", sizeof GOOD + 1);
    hs_pickle p = {0};
    assert_code(load(s, 6 + 4097 + sizeof GOOD + 1, &p), HS_EFORMAT);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),          cmocka_unit_test(test_every_opcode),
        cmocka_unit_test(test_cuts_and_flips), cmocka_unit_test(test_long_integers),
        cmocka_unit_test(test_a_million),      cmocka_unit_test(test_limits),
        cmocka_unit_test(test_billion_laughs), cmocka_unit_test(test_billion_laughs_of_sixty),
        cmocka_unit_test(test_long_global),    cmocka_unit_test(test_rank),
        cmocka_unit_test(test_names),          cmocka_unit_test(test_deep_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
