/* core/io/file: regular files only, whole files only, never over what exists. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/io/file.h"
#include "tests/support/support.h"

/* A name in the temporary folder that stays valid. */
static char *keep(const char *name)
{
    return strdup(temp_path(name));
}

static size_t files_in_temp(void)
{
    char *dir = keep("");
    DIR *d = opendir(dir);
    size_t n = 0;
    assert_non_null(d);
    while (readdir(d) != NULL) {
        n++;
    }
    closedir(d);
    free(dir);
    return n;
}

static void test_only_regular_files(void **state)
{
    (void)state;
    hs_file f;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(a.sun_path, sizeof a.sun_path, "%s", temp_path("socket"));
    assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(mkfifo(temp_path("fifo"), 0600), 0);
    assert_int_equal(mkdir(temp_path("dir"), 0700), 0);
    static const char *const refused[] = {"socket", "fifo", "dir"};
    for (size_t i = 0; i < 3; i++) { /* none of them may hang */
        const char *path = temp_path(refused[i]);
        assert_code(hs_file_open(path, &f), HS_EFORMAT);
        assert_memory_equal(hs_error_message(), path, strlen(path));
    }
    assert_code(hs_file_open("/dev/zero", &f), HS_EFORMAT);
    assert_code(hs_file_open(temp_path("absent"), &f), HS_EIO);
    close(s);
}

static void test_links_are_followed_for_the_user_only(void **state)
{
    (void)state;
    hs_file f;
    char *target = keep("target"), *link = keep("link"), *index = keep("index.json");
    assert_ok(hs_file_write_atomic(target, "abc", 3, 0));
    assert_int_equal(symlink(target, link), 0);
    assert_ok(hs_file_open(link, &f));
    assert_int_equal(f.size, 3);
    hs_file_close(&f);
    assert_ok(hs_file_open_beside(index, "target", &f));
    hs_file_close(&f);
    static const char *const bad[] = {"link", "", ".", "..", "a/b", "/etc/passwd", "a\\b", "c:x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_code(hs_file_open_beside(index, bad[i], &f), HS_EFORMAT);
    }
    assert_code(hs_file_open_beside(index, "absent", &f), HS_EIO);
    free(target);
    free(link);
    free(index);
}

static void test_read_whole(void **state)
{
    (void)state;
    char *path = keep("whole");
    unsigned char *b = NULL;
    size_t len = 0;
    assert_ok(hs_file_write_atomic(path, "abcdef", 6, 0));
    assert_ok(hs_file_read(path, 6, &b, &len));
    assert_int_equal(len, 6);
    assert_memory_equal(b, "abcdef", 6);
    free(b);
    assert_code(hs_file_read(path, 5, &b, &len), HS_ELIMIT);
    assert_int_equal(truncate(path, (off_t)1 << 42), 0);
    assert_code(hs_file_read(path, SIZE_MAX, &b, &len), HS_ELIMIT); /* sparse, larger than memory */
    free(path);
}

/* R2: the file shrinks between open and read. */
static void test_truncated(void **state)
{
    (void)state;
    char *path = keep("shrinks"), buf[100];
    static const char zeros[100];
    hs_file f;
    assert_ok(hs_file_write_atomic(path, zeros, sizeof zeros, 0));
    assert_ok(hs_file_open(path, &f));
    assert_int_equal(truncate(path, 10), 0);
    assert_code(hs_file_read_at(&f, path, 0, buf, 100), HS_EIO);
    assert_memory_equal(hs_error_message(), path, strlen(path));
    hs_file_close(&f);
    free(path);
}

static void test_nothing_is_overwritten_unasked(void **state)
{
    (void)state;
    char *path = keep("mine");
    unsigned char *b;
    size_t len, before;
    assert_ok(hs_file_write_atomic(path, "old", 3, 0));
    before = files_in_temp();
    assert_code(hs_file_write_atomic(path, "new", 3, 0), HS_ERANGE);
    assert_non_null(strstr(hs_error_message(), "use -f"));
    assert_ok(hs_file_read(path, 10, &b, &len));
    assert_memory_equal(b, "old", 3);
    free(b);
    assert_ok(hs_file_write_atomic(path, "newer", 5, 1));
    assert_ok(hs_file_read(path, 10, &b, &len));
    assert_int_equal(len, 5);
    free(b);
    assert_int_equal(files_in_temp(), before); /* no temporary file stays */
    free(path);
}

static void test_appears_while_writing(void **state)
{
    (void)state;
    char *path = keep("race");
    hs_outfile *f;
    size_t before = files_in_temp();
    assert_ok(hs_outfile_begin(path, 0, &f));
    assert_ok(hs_outfile_write(f, "a", 1));
    assert_int_equal(access(path, F_OK), -1); /* not there before it is complete */
    assert_ok(hs_file_write_atomic(path, "b", 1, 0));
    assert_code(hs_outfile_commit(f), HS_ERANGE);
    hs_outfile_free(f);
    assert_int_equal(files_in_temp(), before + 1);
    assert_ok(hs_outfile_begin(path, 1, &f));
    hs_outfile_free(f); /* without commit */
    assert_int_equal(files_in_temp(), before + 1);
    free(path);
}

static void test_where_nothing_can_be_written(void **state)
{
    (void)state;
    assert_code(hs_file_write_atomic("/nowhere/at/all", "x", 1, 0), HS_EIO);
    assert_code(hs_file_write_atomic("/dev/null", "x", 1, 1), HS_ERANGE);
    assert_int_equal(mkdir(temp_path("folder"), 0700), 0);
    assert_code(hs_file_write_atomic(temp_path("folder"), "x", 1, 1), HS_ERANGE);
}

/* FIPS 180-4: "abc"; the empty file; NIST's million letters a, which is more than one block. */
static void test_sha256(void **state)
{
    (void)state;
    char hex[HS_SHA256_HEX], *path = keep("hashed");
    char *a = malloc(1000000);
    memset(a, 'a', 1000000);
    assert_ok(hs_file_write_atomic(path, "abc", 3, 1));
    assert_ok(hs_file_sha256(path, hex));
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_ok(hs_file_write_atomic(path, "", 0, 1));
    assert_ok(hs_file_sha256(path, hex));
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_ok(hs_file_write_atomic(path, a, 1000000, 1));
    assert_ok(hs_file_sha256(path, hex));
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_code(hs_file_sha256("/dev/zero", hex), HS_EFORMAT);
    free(a);
    free(path);
}

static void test_what_a_killed_process_left(void **state)
{
    (void)state;
    static const char *const left[] = {"checkpoint.safetensors.123.0.tmp", "train.json.7.12.tmp",
                                       ".hspace-figure.99.tmp"};
    static const char *const kept[] = {"notes.tmp", "a.1.tmp",    "1.2.tmp",         ".1.2.tmp",           "a.b.2.tmp",
                                       "a.1.x.tmp", "train.json", "train.json.7.12", ".hspace-figure.tmp", ".tmp",
                                       ""};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        assert_true(hs_outfile_is_left(left[i]));
    }
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        assert_false(hs_outfile_is_left(kept[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_regular_files),
        cmocka_unit_test(test_links_are_followed_for_the_user_only),
        cmocka_unit_test(test_read_whole),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_nothing_is_overwritten_unasked),
        cmocka_unit_test(test_appears_while_writing),
        cmocka_unit_test(test_where_nothing_can_be_written),
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_what_a_killed_process_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
