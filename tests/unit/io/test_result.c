/* Result files: round trips, what xarray sees, interruptions, and files from strangers. */
#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/io/h5jail.h"
#include "core/io/result.h"
#include "tests/support/support.h"

/* HDF5 1.10 itself forgets blocks when it gives up on a damaged file. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

static void write_sample(const char *path)
{
    hs_result *r = NULL;
    const size_t dim[3] = {2, 3, 4}, three = 3;
    const int64_t t[3] = {900, 500, 100};
    const char *const names[2] = {"smile", "h\xc3\xa9las"};
    float v[24];
    double s = 2.5;
    for (int i = 0; i < 24; i++) {
        v[i] = (float)i / 8;
    }
    assert_ok(hs_result_create(path, "directions", 0, &r));
    assert_ok(hs_result_define_f32(r, "delta", "direction,timestep,channel", 3, dim));
    assert_ok(hs_result_put_rows(r, "delta", 1, 1, v + 12));
    assert_ok(hs_result_put_rows(r, "delta", 0, 1, v));
    assert_ok(hs_result_put_i64(r, "timestep", "timestep", 1, &three, t));
    assert_ok(hs_result_put_strings(r, "direction", "direction", 2, names));
    assert_ok(hs_result_put_f64(r, "scalar", "", 0, NULL, &s));
    assert_ok(hs_result_attr_str(r, "delta", "units", "1"));
    assert_ok(hs_result_attr_str(r, NULL, "source", "hspace test"));
    assert_ok(hs_result_attr_f64(r, NULL, "eta", 0.25));
    assert_ok(hs_result_attr_i64(r, NULL, "seed", -7));
    assert_int_not_equal(access(path, F_OK), 0);
    assert_ok(hs_result_commit(r));
    hs_result_free(r);
}

static void test_round_trip(void **state)
{
    (void)state;
    const char *path = temp_path("round.h5");
    write_sample(path);
    hs_result_in *in = NULL;
    size_t rank = 0, dim[8], n = 0;
    float *f = NULL, row[12];
    double *d = NULL, eta = 0, seed = 0;
    char **s = NULL, *text = NULL;
    assert_ok(hs_result_open(path, &in));
    assert_string_equal(hs_result_kind(in), "directions");
    assert_int_equal(hs_result_has(in, "delta"), 1);
    assert_int_equal(hs_result_has(in, "absent"), 0);
    assert_int_equal(hs_result_has_texts(in, "absent"), 0);
    assert_int_equal(hs_result_has_texts(in, "delta"), 0);
    assert_int_equal(hs_result_has_texts(in, "direction"), 1);
    assert_ok(hs_result_shape(in, "delta", &rank, dim));
    assert_int_equal(rank, 3);
    assert_int_equal(dim[0] * 100 + dim[1] * 10 + dim[2], 234);
    assert_ok(hs_result_get_f32(in, "delta", &f));
    for (int i = 0; i < 24; i++) {
        assert_true(f[i] == (float)i / 8);
    }
    assert_ok(hs_result_get_rows(in, "delta", 1, 1, row));
    assert_memory_equal(row, f + 12, sizeof row);
    assert_ok(hs_result_get_f64(in, "channel", &d));
    assert_true(d[0] == 0 && d[3] == 3);
    assert_ok(hs_result_get_strings(in, "direction", &n, &s));
    assert_int_equal(n, 2);
    assert_string_equal(s[1], "h\xc3\xa9las");
    assert_ok(hs_result_attr_get_str(in, "delta", "units", &text));
    assert_string_equal(text, "1");
    assert_ok(hs_result_attr_get_f64(in, NULL, "eta", &eta));
    assert_ok(hs_result_attr_get_f64(in, NULL, "seed", &seed));
    assert_true(eta == 0.25 && seed == -7);
    assert_code(hs_result_shape(in, "absent", &rank, dim), HS_EFORMAT);
    assert_code(hs_result_attr_get_f64(in, NULL, "absent", &eta), HS_EFORMAT);
    assert_code(hs_result_get_rows(in, "delta", 1, 2, row), HS_ERANGE);
    assert_code(hs_result_get_f32(in, "direction", &f), HS_EFORMAT);
    hs_result_close(in);
    free(f);
    free(d);
    free(text);
    free(s[0]);
    free(s[1]);
    free(s);
}

static void test_xarray_and_h5py(void **state)
{
    (void)state;
    char cmd[600];
    const char *path = temp_path("xarray.h5");
    write_sample(path);
    snprintf(cmd, sizeof cmd, "/usr/bin/python3 tests/support/check_result.py '%s'", path);
    int status = system(cmd);
    if (status == -1 || WEXITSTATUS(status) == 77 || WEXITSTATUS(status) == 127) {
        printf("SKIP: h5py, xarray, h5netcdf or netCDF4 is absent\n");
        skip();
    }
    assert_int_equal(status, 0);
}

static void test_files_appear_whole(void **state)
{
    (void)state;
    const char *path = temp_path("whole.h5");
    hs_result *r = NULL;
    write_sample(path);
    assert_code(hs_result_create(path, "pca", 0, &r), HS_ERANGE);
    assert_ok(hs_result_create(path, "pca", 1, &r));
    hs_result_free(r);
    hs_result_in *in = NULL;
    assert_ok(hs_result_open(path, &in));
    assert_string_equal(hs_result_kind(in), "directions");
    hs_result_close(in);
    assert_code(hs_result_create(temp_path("no/such/folder.h5"), "pca", 0, &r), HS_EIO);
    char cmd[400];
    snprintf(cmd, sizeof cmd, "ls '%s'.tmp-* 2>/dev/null | grep -q .", path);
    assert_int_not_equal(system(cmd), 0);
}

static void test_dimensions_are_consistent(void **state)
{
    (void)state;
    hs_result *r = NULL;
    const size_t two = 2, three = 3, d23[2] = {2, 3};
    const float v[6] = {0};
    assert_ok(hs_result_create(temp_path("dims.h5"), "pca", 0, &r));
    assert_ok(hs_result_put_f32(r, "a", "x,y", 2, d23, v));
    assert_code(hs_result_put_f32(r, "b", "y", 1, &two, v), HS_ESHAPE);
    assert_code(hs_result_put_f32(r, "x", "y", 1, &three, v), HS_ERANGE);
    assert_code(hs_result_put_f32(r, "c", "a", 1, &two, v), HS_ERANGE);
    assert_code(hs_result_put_f32(r, "c", "x", 2, d23, v), HS_ERANGE);
    assert_code(hs_result_put_f32(r, "c", "x,y,z", 2, d23, v), HS_ERANGE);
    assert_code(hs_result_put_f32(r, "a", "x", 1, &two, v), HS_ERANGE);
    assert_code(hs_result_put_rows(r, "a", 1, 2, v), HS_ERANGE);
    assert_code(hs_result_attr_f64(r, "none", "q", 1), HS_ERANGE);
    assert_ok(hs_result_commit(r));
    hs_result_free(r);
}

/* Each row of reliability.md 2.8 that can be made with the library: a function that makes the file,
 * what is asked of it, and the code. */
static hid_t plain(const char *path)
{
    hid_t f = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(f >= 0);
    return f;
}

static void put_x(hid_t f, const char *name, hid_t type, hid_t dcpl, int write)
{
    const hsize_t n = 64;
    float v[64] = {1};
    hid_t s = H5Screate_simple(1, &n, NULL), d = H5Dcreate2(f, name, type, s, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    assert_true(d >= 0);
    if (write) {
        assert_true(H5Dwrite(d, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, v) >= 0);
    }
    H5Dclose(d);
    H5Sclose(s);
}

static void make_external(hid_t f)
{
    hid_t p = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(p, "/etc/passwd", 0, 256);
    put_x(f, "x", H5T_IEEE_F32LE, p, 0);
    H5Pclose(p);
}

static void make_external_link(hid_t f)
{
    H5Lcreate_external("other.h5", "/x", f, "x", H5P_DEFAULT, H5P_DEFAULT);
}

static void make_soft_link(hid_t f)
{
    put_x(f, "y", H5T_IEEE_F32LE, H5P_DEFAULT, 1);
    H5Lcreate_soft("/y", f, "x", H5P_DEFAULT, H5P_DEFAULT);
}

static void make_virtual(hid_t f)
{
    const hsize_t n = 64;
    hid_t s = H5Screate_simple(1, &n, NULL), p = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_virtual(p, s, "missing.h5", "x", s);
    hid_t d = H5Dcreate2(f, "x", H5T_IEEE_F32LE, s, H5P_DEFAULT, p, H5P_DEFAULT);
    H5Dclose(d);
    H5Pclose(p);
    H5Sclose(s);
}

static void make_bomb(hid_t f)
{
    const hsize_t n[2] = {1u << 25, 1u << 25}, c[2] = {64, 64};
    hid_t s = H5Screate_simple(2, n, NULL), p = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(p, 2, c);
    hid_t d = H5Dcreate2(f, "x", H5T_IEEE_F32LE, s, H5P_DEFAULT, p, H5P_DEFAULT);
    H5Dclose(d);
    H5Pclose(p);
    H5Sclose(s);
}

static void make_nbit(hid_t f)
{
    const hsize_t c = 64;
    hid_t p = H5Pcreate(H5P_DATASET_CREATE), t = H5Tcopy(H5T_IEEE_F32LE);
    H5Pset_chunk(p, 1, &c);
    H5Pset_nbit(p);
    put_x(f, "x", t, p, 1);
    H5Tclose(t);
    H5Pclose(p);
}

static void make_big_endian(hid_t f)
{
    put_x(f, "x", H5T_IEEE_F32BE, H5P_DEFAULT, 1);
}

static void make_compound(hid_t f)
{
    hid_t t = H5Tcreate(H5T_COMPOUND, 8);
    H5Tinsert(t, "a", 0, H5T_IEEE_F32LE);
    H5Tinsert(t, "b", 4, H5T_STD_I32LE);
    put_x(f, "x", t, H5P_DEFAULT, 0);
    H5Tclose(t);
}

static void make_vlen(hid_t f)
{
    hid_t t = H5Tvlen_create(H5T_IEEE_F32LE);
    put_x(f, "x", t, H5P_DEFAULT, 0);
    H5Tclose(t);
}

static void make_group(hid_t f)
{
    H5Gclose(H5Gcreate2(f, "x", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

static void make_huge_chunk(hid_t f)
{
    const hsize_t n = 1u << 26;
    hid_t s = H5Screate_simple(1, &n, NULL), p = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(p, 1, &n);
    H5Pset_deflate(p, 1);
    H5Dclose(H5Dcreate2(f, "x", H5T_IEEE_F32LE, s, H5P_DEFAULT, p, H5P_DEFAULT));
    H5Pclose(p);
    H5Sclose(s);
}

static size_t identity(unsigned flags, size_t n, const unsigned v[], size_t bytes, size_t *size, void **buf)
{
    (void)flags, (void)n, (void)v, (void)size, (void)buf;
    return bytes;
}

static void make_user_filter(hid_t f)
{
    const H5Z_class2_t filter = {H5Z_CLASS_T_VERS, 32001, 1, 1, "user", NULL, NULL, identity};
    const hsize_t c = 64;
    hid_t p = H5Pcreate(H5P_DATASET_CREATE);
    assert_true(H5Zregister(&filter) >= 0);
    H5Pset_chunk(p, 1, &c);
    H5Pset_filter(p, 32001, 0, 0, NULL);
    put_x(f, "x", H5T_IEEE_F32LE, p, 1);
    H5Pclose(p);
    H5Zunregister(32001);
}

static void make_enum(hid_t f)
{
    const signed char no = 0;
    hid_t t = H5Tenum_create(H5T_STD_I8LE);
    H5Tenum_insert(t, "no", &no);
    put_x(f, "x", t, H5P_DEFAULT, 0);
    H5Tclose(t);
}

static void make_reference(hid_t f)
{
    put_x(f, "x", H5T_STD_REF_OBJ, H5P_DEFAULT, 0);
}

static void make_opaque(hid_t f)
{
    hid_t t = H5Tcreate(H5T_OPAQUE, 1u << 20);
    put_x(f, "x", t, H5P_DEFAULT, 0);
    H5Tclose(t);
}

static void make_one_bit_float(hid_t f)
{
    hid_t t = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(t, 2, 1, 1, 0, 1);
    put_x(f, "x", t, H5P_DEFAULT, 0);
    H5Tclose(t);
}

static void make_rank_9(hid_t f)
{
    const hsize_t n[9] = {1, 1, 1, 1, 1, 1, 1, 1, 2};
    hid_t s = H5Screate_simple(9, n, NULL);
    H5Dclose(H5Dcreate2(f, "x", H5T_IEEE_F32LE, s, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(s);
}

static const struct {
    const char *name;
    void (*make)(hid_t f);
    int code;
} strange[] = {{"external storage", make_external, HS_EFORMAT},
               {"external link", make_external_link, HS_EFORMAT},
               {"soft link", make_soft_link, HS_EFORMAT},
               {"virtual dataset", make_virtual, HS_EFORMAT},
               {"extent bomb", make_bomb, HS_ELIMIT},
               {"n-bit filter", make_nbit, HS_EFORMAT},
               {"user's filter", make_user_filter, HS_EFORMAT},
               {"chunk of 256 MiB", make_huge_chunk, HS_EFORMAT},
               {"enum", make_enum, HS_EFORMAT},
               {"reference", make_reference, HS_EFORMAT},
               {"opaque", make_opaque, HS_EFORMAT},
               {"float of few bits", make_one_bit_float, HS_EFORMAT},
               {"rank 9", make_rank_9, HS_EFORMAT},
               {"big-endian", make_big_endian, HS_EFORMAT},
               {"compound", make_compound, HS_EFORMAT},
               {"variable length", make_vlen, HS_EFORMAT},
               {"group for an array", make_group, HS_EFORMAT}};

static void test_strange_objects_are_refused(void **state)
{
    (void)state;
    const char *path = temp_path("strange.h5");
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        hs_result_in *in = NULL;
        float *v = NULL;
        hid_t f = plain(path);
        strange[i].make(f);
        H5Fclose(f);
        assert_ok(hs_result_open(path, &in));
        assert_string_equal(hs_result_kind(in), "");
        int rc = hs_result_get_f32(in, "x", &v);
        if (rc != strange[i].code) {
            fail_msg("%s gave %d: %s", strange[i].name, rc, hs_error_message());
        }
        hs_result_close(in);
    }
}

static void test_external_link_inside_a_path_is_refused(void **state)
{
    (void)state;
    const char *path = temp_path("inside.h5");
    hs_result_in *in = NULL;
    float *v = NULL;
    hid_t f = plain(path);
    make_group(f);
    H5Lcreate_external(path, "/", f, "x/out", H5P_DEFAULT, H5P_DEFAULT);
    put_x(f, "y", H5T_IEEE_F32LE, H5P_DEFAULT, 1);
    H5Fclose(f);
    assert_ok(hs_result_open(path, &in));
    assert_code(hs_result_get_f32(in, "x/out/y", &v), HS_EFORMAT);
    assert_ok(hs_result_get_f32(in, "y", &v));
    assert_true(v[0] == 1);
    free(v);
    hs_result_close(in);
}

static void test_many_and_deep_groups_are_over_the_limit(void **state)
{
    (void)state;
    const char *path = temp_path("deep.h5");
    hs_result_in *in = NULL;
    hid_t f = plain(path);
    H5Gclose(H5Gcreate2(f, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Lcreate_hard(f, "/", f, "g/up", H5P_DEFAULT, H5P_DEFAULT); /* a cycle */
    H5Fclose(f);
    assert_code(hs_result_open(path, &in), HS_ELIMIT);
    f = plain(path);
    for (int i = 0; i < 10001; i++) {
        char name[16];
        snprintf(name, sizeof name, "l%d", i);
        H5Lcreate_soft("/none", f, name, H5P_DEFAULT, H5P_DEFAULT);
    }
    H5Fclose(f);
    assert_code(hs_result_open(path, &in), HS_ELIMIT);
}

static void test_user_block_is_read_and_a_write_mark_is_not(void **state)
{
    (void)state;
    const char *path = temp_path("block.h5");
    hs_result_in *in = NULL;
    float *v = NULL;
    hid_t p = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_userblock(p, 1024);
    hid_t f = H5Fcreate(path, H5F_ACC_TRUNC, p, H5P_DEFAULT);
    H5Pclose(p);
    put_x(f, "x", H5T_IEEE_F32LE, H5P_DEFAULT, 1);
    H5Fclose(f);
    assert_ok(hs_result_open(path, &in));
    assert_ok(hs_result_get_f32(in, "x", &v));
    assert_true(v[0] == 1 && v[1] == 0);
    free(v);
    hs_result_close(in);
    /* A writer that died: its child leaves the mark of an open file in the superblock. */
    pid_t pid = fork();
    if (pid == 0) {
        p = H5Pcreate(H5P_FILE_ACCESS);
        H5Pset_libver_bounds(p, H5F_LIBVER_V110, H5F_LIBVER_V110);
        f = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, p);
        put_x(f, "x", H5T_IEEE_F32LE, H5P_DEFAULT, 1);
        H5Fflush(f, H5F_SCOPE_GLOBAL);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_code(hs_result_open(path, &in), HS_EFORMAT);
    assert_non_null(strstr(hs_error_message(), "h5clear"));
}

/* A plan that dies or never ends takes its child with it, not this process. */
static int crash(hid_t file, void *ctx)
{
    (void)file, (void)ctx;
    raise(SIGSEGV);
    return HS_OK;
}

static int spin(hid_t file, void *ctx)
{
    (void)file;
    for (volatile int *stop = ctx; *stop == 0;) {
    }
    return HS_OK;
}

/* Everything a hostile parse might try: HS_OK when each is refused. */
static int break_out(hid_t file, void *ctx)
{
    (void)file, (void)ctx;
    const int open_fails = open("/etc/passwd", O_RDONLY) < 0 && open("/tmp/hspace-jail", O_WRONLY | O_CREAT, 0600) < 0;
    const int socket_fails = socket(AF_INET, SOCK_STREAM, 0) < 0;
    const int exec_fails = execl("/bin/true", "true", (char *)NULL) < 0;
    const int kill_fails = kill(getppid(), 0) < 0, unlink_fails = unlink("/tmp/hspace-none") < 0 && errno == EPERM;
    return open_fails && socket_fails && exec_fails && kill_fails && unlink_fails ? HS_OK : HS_EBUG;
}

static void test_jail(void **state)
{
    (void)state;
    int never = 0;
    hid_t file = -1;
    write_sample(temp_path("jail.h5"));
    assert_code(hs_h5jail_open(temp_path("jail.h5"), crash, NULL, &file), HS_EFORMAT);
    assert_non_null(strstr(hs_error_message(), "crashed on this file"));
    assert_code(hs_h5jail_open(temp_path("jail.h5"), spin, &never, &file), HS_EFORMAT);
    assert_non_null(strstr(hs_error_message(), "ran out of its time"));
#if defined(__x86_64__) || defined(__aarch64__)
    assert_ok(hs_h5jail_open(temp_path("jail.h5"), break_out, NULL, &file));
    H5Fclose(file);
#endif
}

static void test_what_is_no_hdf5(void **state)
{
    (void)state;
    hs_result_in *in = NULL;
    assert_code(hs_result_open(temp_path("absent.h5"), &in), HS_EIO);
    assert_code(hs_result_open("/dev/zero", &in), HS_EFORMAT);
    const char *path = temp_path("fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_code(hs_result_open(path, &in), HS_EFORMAT);
    FILE *f = fopen(temp_path("text.h5"), "w");
    fputs("not HDF5", f);
    fclose(f);
    assert_code(hs_result_open(temp_path("text.h5"), &in), HS_EFORMAT);
}

static char *slurp(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    char *p = malloc(1 << 20);
    *len = fread(p, 1, 1 << 20, f);
    fclose(f);
    return p;
}

static void spill(const char *path, const char *p, size_t len)
{
    FILE *f = fopen(path, "wb");
    assert_int_equal(fwrite(p, 1, len, f), len);
    fclose(f);
}

/* Reads everything; the values must be right or a code must come. */
static int reads_right(const char *path)
{
    hs_result_in *in = NULL;
    float *v = NULL;
    int rc = hs_result_open(path, &in);
    if (rc != HS_OK) {
        return rc;
    }
    rc = hs_result_get_f32(in, "delta", &v);
    if (rc == HS_OK) {
        for (int i = 0; i < 24; i++) {
            assert_true(v[i] == (float)i / 8);
        }
    }
    free(v);
    hs_result_close(in);
    return rc;
}

static void test_damage_is_never_wrong_data(void **state)
{
    (void)state;
    const char *path = temp_path("good.h5"), *bad = temp_path("bad.h5");
    size_t len = 0, noticed = 0;
    write_sample(path);
    char *p = slurp(path, &len);
    for (size_t cut = 0; cut < len; cut += 512) {
        spill(bad, p, cut);
        assert_true(reads_right(bad) != HS_OK);
    }
    for (size_t i = 0; i < 200; i++) {
        size_t bit = i * 7919 % (8 * len);
        p[bit / 8] = (char)(p[bit / 8] ^ (1 << bit % 8));
        spill(bad, p, len);
        noticed += reads_right(bad) != HS_OK;
        p[bit / 8] = (char)(p[bit / 8] ^ (1 << bit % 8));
    }
    assert_true(noticed > 0);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_xarray_and_h5py),
        cmocka_unit_test(test_files_appear_whole),
        cmocka_unit_test(test_dimensions_are_consistent),
        cmocka_unit_test(test_strange_objects_are_refused),
        cmocka_unit_test(test_external_link_inside_a_path_is_refused),
        cmocka_unit_test(test_many_and_deep_groups_are_over_the_limit),
        cmocka_unit_test(test_user_block_is_read_and_a_write_mark_is_not),
        cmocka_unit_test(test_jail),
        cmocka_unit_test(test_what_is_no_hdf5),
        cmocka_unit_test(test_damage_is_never_wrong_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
