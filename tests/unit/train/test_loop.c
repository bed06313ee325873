/* analysis/train: the loop, on a least-squares task whose answer is known. */
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analysis/train/checkpoint.h"
#include "analysis/train/table.h"
#include "analysis/train/train.h"
#include "core/base/rng.h"
#include "core/io/file.h"
#include "tests/support/support.h"

enum { N = 300 };

/* loss_k = mean (theta - target - noise_k)^2; at its least where theta = target. */
typedef struct {
    float theta[N], grad[N], target[N];
    double noise;
    uint64_t kill_at, nan_at, starve_at; /* 0: never */
    uint64_t published;
    float best[N]; /* published last */
} fit;

static int loss_of(void *ctx, uint64_t k, double *loss)
{
    fit *f = ctx;
    float z[N];
    if (k == f->kill_at) {
        raise(SIGKILL);
    }
    if (k == f->starve_at) {
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, RLIM_INFINITY});
    }
    hs_rng_normal((hs_rng){1, HS_RNG_TRAIN_NOISE, k}, 0, N, z);
    *loss = k == f->nan_at ? NAN : 0;
    for (size_t i = 0; i < N; i++) {
        double e = (double)f->theta[i] - (double)f->target[i] - f->noise * (double)z[i];
        *loss += e * e / N;
        f->grad[i] += (float)(2 * e / N);
    }
    return HS_OK;
}

static int refresh(void *ctx)
{
    (void)ctx;
    return HS_OK;
}

static int publish(void *ctx, const float *weights, uint64_t k)
{
    fit *f = ctx;
    f->published = k;
    memcpy(f->best, weights, sizeof f->best);
    return HS_OK;
}

static hs_task task_of(fit *f)
{
    memset(f->theta, 0, sizeof f->theta);
    hs_rng_normal((hs_rng){2, HS_RNG_TEST, 0}, 0, N, f->target);
    return (hs_task){.n = N,
                     .theta = f->theta,
                     .grad = f->grad,
                     .loss = loss_of,
                     .refresh = refresh,
                     .publish = publish,
                     .fingerprint = "task fit\nnumbers 300\n",
                     .images = 4,
                     .ctx = f};
}

static hs_train_options options_of(uint64_t total)
{
    return (hs_train_options){.adam = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .decay = 0},
                              .rate = {.rate = 0.02, .flat = 0.5, .last = 0.01, .warmup = 5, .total = total},
                              .clip = 1,
                              .ema = 0.9,
                              .save_seconds = 0,
                              .table_every = 7};
}

static const char *folder(const char *name)
{
    const char *path = temp_path(name);
    mkdir(path, 0777);
    return path;
}

/* The four blocks of a folder's checkpoint. */
typedef struct {
    float block[4][N];
    hs_train_state s;
} saved;

static void read_saved(const char *dir, saved *c)
{
    fit f = {0};
    const hs_task t = task_of(&f);
    const hs_train_options o = options_of(1);
    hs_str fingerprint = {0};
    assert_ok(hs_train_fingerprint(&t, &o, &fingerprint));
    c->s = (hs_train_state){.n = N,
                            .theta = c->block[0],
                            .m = c->block[1],
                            .v = c->block[2],
                            .average = c->block[3],
                            .fingerprint = fingerprint.s};
    assert_ok(hs_checkpoint_read(dir, &c->s));
    hs_str_free(&fingerprint);
    c->s.fingerprint = "";
}

static void test_finds_the_answer(void **state)
{
    (void)state;
    fit f = {0};
    const hs_task t = task_of(&f);
    hs_train_options o = options_of(1500);
    const char *dir = folder("fit");
    hs_train_result r;
    hs_table_row *row;
    size_t n;
    o.save_seconds = 1e9;
    assert_ok(hs_train(&t, &o, dir, &r));
    assert_int_equal(r.updates, 1500);
    assert_int_equal(f.published, 1500);
    for (size_t i = 0; i < N; i++) {
        assert_near(f.best[i], f.target[i], 1e-3); /* the last rate is 2e-4, a step of Adam at most that */
    }
    assert_ok(hs_table_read(dir, &row, &n));
    assert_int_equal(n, 215); /* 1500 / 7 rounded up */
    assert_int_equal(row[0].update, 7);
    assert_int_equal(row[n - 1].update, 1500);
    assert_near(row[n - 1].rate, 2e-4, 1e-9);
    assert_true(row[n - 1].loss < 1e-6 && row[0].loss > 0.5);
    assert_true(row[n - 1].images_per_second > 0);
    assert_near(r.loss, row[n - 1].loss, 1e-12);
    free(row);
}

/* Odd updates move the first third, even ones the rest. */
static void halves(void *ctx, uint64_t k, size_t *first, size_t *count, uint64_t *visit)
{
    (void)ctx;
    *first = k % 2 == 1 ? 0 : N / 3;
    *count = k % 2 == 1 ? N / 3 : N - N / 3;
    *visit = (k + 1) / 2;
}

/* Blocks that take turns are two runs of half the length: each block's own moments, count of updates and average. */
static void test_blocks_take_turns(void **state)
{
    (void)state;
    fit both = {0}, alone = {0};
    hs_task t = task_of(&both);
    hs_train_options o = options_of(40);
    hs_train_result r;
    t.span = halves;
    o.rate.warmup = 0;
    o.rate.flat = 1;
    o.clip = 0;
    assert_ok(hs_train(&t, &o, folder("turns"), &r));
    t = task_of(&alone);
    o.rate.total = 20;
    assert_ok(hs_train(&t, &o, folder("alone"), &r));
    assert_memory_equal(both.theta, alone.theta, sizeof both.theta);
    assert_memory_equal(both.best, alone.best, sizeof both.best);
}

/* Plain gradient descent on a quadratic: theta - target shrinks by 1 - 2 rate / N a step, the rate by StepLR. */
static void test_sgd_in_steps(void **state)
{
    (void)state;
    fit f = {0};
    const hs_task t = task_of(&f);
    const hs_train_options o = {
        .sgd = 1, .rate = {.rate = 30, .total = 6, .every = 2, .gamma = 0.5}, .save_seconds = 1e9, .table_every = 7};
    hs_train_result r;
    hs_str fingerprint = {0};
    assert_ok(hs_train_fingerprint(&t, &o, &fingerprint));
    assert_non_null(strstr(fingerprint.s, "optimizer sgd"));
    hs_str_free(&fingerprint);
    assert_ok(hs_train(&t, &o, folder("sgd"), &r));
    double left = pow(1 - 60.0 / N, 2) * pow(1 - 30.0 / N, 2) * pow(1 - 15.0 / N, 2);
    for (size_t i = 0; i < N; i++) {
        assert_near((double)f.theta[i], (double)f.target[i] * (1 - left), 2e-6);
    }
    assert_memory_equal(f.theta, f.best, sizeof f.best); /* not averaged */
}

/* Runs in a child that dies where the task says; true when it did. */
static int dies(const hs_task *t, const hs_train_options *o, const char *dir)
{
    pid_t pid = fork();
    if (pid == 0) {
        hs_train_result r;
        int rc = hs_train(t, o, dir, &r);
        _exit(rc == HS_OK ? 0 : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static void same_tables(const char *a, const char *b)
{
    hs_table_row *ra, *rb;
    size_t na, nb;
    assert_ok(hs_table_read(a, &ra, &na));
    assert_ok(hs_table_read(b, &rb, &nb));
    assert_int_equal(na, nb);
    for (size_t i = 0; i < na; i++) {
        assert_int_equal(ra[i].update, rb[i].update);
        assert_true(ra[i].loss == rb[i].loss && ra[i].grad_norm == rb[i].grad_norm && ra[i].rate == rb[i].rate);
    }
    free(ra);
    free(rb);
}

static void test_resumed_after_kill_is_the_same_bits(void **state)
{
    (void)state;
    fit f = {.noise = 0.3};
    hs_task t = task_of(&f);
    hs_train_options o = options_of(60);
    const char *whole = folder("whole"), *killed = folder("killed");
    char left[300], half[300];
    hs_train_result r;
    saved a, b;
    assert_ok(hs_train(&t, &o, whole, &r));
    f.kill_at = 1;
    task_of(&f);
    assert_true(dies(&t, &o, killed)); /* before the first update: the untouched start is there */
    o.resume = 1;
    for (uint64_t at = 23; at < 60; at += 14) { /* amid rows of the table */
        f.kill_at = at;
        task_of(&f);
        o.save_seconds = at == 37 ? 1e9 : 0; /* this one loses all it did */
        assert_true(dies(&t, &o, killed));
    }
    f.kill_at = 0;
    snprintf(left, sizeof left, "%s/checkpoint.safetensors.123.0.tmp", killed);
    snprintf(half, sizeof half, "%s/train.json.123.4.tmp", killed);
    assert_ok(hs_file_write_atomic(left, "half", 4, 1));
    assert_ok(hs_file_write_atomic(half, "half", 4, 1));
    assert_ok(hs_train(&t, &o, killed, &r));
    assert_int_not_equal(access(left, F_OK), 0);
    assert_int_not_equal(access(half, F_OK), 0);
    read_saved(whole, &a);
    read_saved(killed, &b);
    assert_int_equal(b.s.update, 60);
    assert_memory_equal(a.block, b.block, sizeof a.block);
    same_tables(whole, killed);
    assert_ok(hs_train(&t, &o, killed, &r)); /* nothing left to do */
    assert_int_equal(r.updates, 60);
    assert_true(r.loss > 0);
}

static void test_nan_keeps_the_last_good_checkpoint(void **state)
{
    (void)state;
    fit f = {.nan_at = 12};
    const hs_task t = task_of(&f);
    const hs_train_options o = options_of(40);
    const char *dir = folder("nan");
    hs_train_result r;
    saved c;
    assert_code(hs_train(&t, &o, dir, &r), HS_EDEGENERATE);
    assert_non_null(strstr(hs_error_message(), "the loss of update 12 is nan; the checkpoint of update 11 stays"));
    read_saved(dir, &c);
    assert_int_equal(c.s.update, 11);
    assert_int_equal(f.published, 11);
    assert_ok(hs_checkpoint_finite(&c.s));
    c.s.theta[5] = INFINITY; /* asked before every checkpoint */
    assert_code(hs_checkpoint_finite(&c.s), HS_EDEGENERATE);
}

static void test_full_disk_keeps_the_former_checkpoint(void **state)
{
    (void)state;
    fit f = {.starve_at = 9};
    hs_task t = task_of(&f);
    hs_train_options o = options_of(20);
    const char *dir = folder("full");
    hs_train_result r;
    saved c;
    struct rlimit was;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &was);
    int rc = hs_train(&t, &o, dir, &r);
    setrlimit(RLIMIT_FSIZE, &was);
    assert_int_equal(rc, HS_EIO);
    assert_non_null(strstr(hs_error_message(), "checkpoint.safetensors"));
    read_saved(dir, &c);
    assert_int_equal(c.s.update, 8);
    f.starve_at = 0;
    o.resume = 1;
    assert_ok(hs_train(&t, &o, dir, &r));
}

static void test_what_does_not_go_together(void **state)
{
    (void)state;
    fit f = {0};
    hs_task t = task_of(&f);
    hs_train_options o = options_of(5);
    const char *dir = folder("refused");
    hs_train_result r;
    o.resume = 1;
    assert_code(hs_train(&t, &o, dir, &r), HS_ERANGE);
    assert_non_null(strstr(hs_error_message(), "no checkpoint"));
    o.resume = 0;
    assert_ok(hs_train(&t, &o, dir, &r));
    assert_code(hs_train(&t, &o, dir, &r), HS_ERANGE);
    assert_non_null(strstr(hs_error_message(), "--resume"));
    o.force = 1;
    assert_ok(hs_train(&t, &o, dir, &r));
    o.resume = 1;
    t.fingerprint = "task fit\nnumbers 301\n";
    assert_code(hs_train(&t, &o, dir, &r), HS_ERANGE);
    assert_non_null(strstr(hs_error_message(), "\"numbers 300\"; wanted \"numbers 301\""));
    t.fingerprint = "task fit\nnumbers 300\n";
    o.clip = 2;
    assert_code(hs_train(&t, &o, dir, &r), HS_ERANGE);
    assert_non_null(strstr(hs_error_message(), "\"clip 1\"; wanted \"clip 2\""));
    o.clip = 1;
    t.n = N - 1;
    assert_code(hs_train(&t, &o, dir, &r), HS_EFORMAT);
    t.n = N;
    int fd = open(dir, O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_code(hs_train(&t, &o, dir, &r), HS_ELOCKED);
    close(fd);
    assert_code(hs_train(&t, &o, temp_path("absent"), &r), HS_EIO);
}

static void test_damaged_files_are_refused(void **state)
{
    (void)state;
    fit f = {0};
    hs_task t = task_of(&f);
    hs_train_options o = options_of(9);
    const char *dir = folder("damaged");
    char path[300];
    hs_train_result r;
    assert_ok(hs_train(&t, &o, dir, &r));
    o.resume = 1;
    snprintf(path, sizeof path, "%s/loss.csv", dir);
    assert_ok(hs_file_write_atomic(path, "x,y\n1,2\n", 8, 1));
    assert_code(hs_train(&t, &o, dir, &r), HS_EFORMAT);
    unlink(path); /* without it a table begins anew */
    assert_ok(hs_train(&t, &o, dir, &r));
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", dir);
    assert_int_equal(truncate(path, 700), 0);
    assert_code(hs_train(&t, &o, dir, &r), HS_EFORMAT);
}

static int stop_at(void *ctx, const char *what, size_t done, size_t total)
{
    (void)what;
    (void)total;
    return done == *(size_t *)ctx;
}

static void test_stopped_on_request_continues_to_the_same_bits(void **state)
{
    (void)state;
    fit f = {.noise = 0.3};
    hs_task t = task_of(&f);
    hs_train_options o = options_of(40);
    const char *whole = folder("unstopped"), *parts = folder("stopped");
    hs_train_result r;
    saved a, b;
    size_t at = 17;
    const hs_progress stop = {stop_at, &at};
    assert_ok(hs_train(&t, &o, whole, &r));
    task_of(&f);
    o.save_seconds = 1e9;
    o.progress = &stop;
    assert_code(hs_train(&t, &o, parts, &r), HS_ESTOPPED);
    read_saved(parts, &b);
    assert_int_equal(b.s.update, 17);
    assert_int_equal(f.published, 17);
    o.resume = 1;
    o.progress = NULL;
    task_of(&f);
    assert_ok(hs_train(&t, &o, parts, &r));
    read_saved(whole, &a);
    read_saved(parts, &b);
    assert_memory_equal(a.block, b.block, sizeof a.block);
    same_tables(whole, parts);
}

static void test_half_a_row_is_cut(void **state)
{
    (void)state;
    const char *dir = folder("rows");
    hs_table_row *row;
    size_t n;
    int fd;
    const hs_table_row one = {.update = 7, .loss = 0.5, .rate = 1e-3}, two = {.update = 14, .loss = 0.25};
    assert_ok(hs_table_open(dir, 0, &fd));
    assert_ok(hs_table_add(fd, &one));
    assert_ok(hs_table_add(fd, &two));
    assert_int_equal(write(fd, "21,0.1", 6), 6);
    close(fd);
    assert_ok(hs_table_open(dir, 13, &fd));
    assert_ok(hs_table_add(fd, &two));
    close(fd);
    assert_ok(hs_table_read(dir, &row, &n));
    assert_int_equal(n, 2);
    assert_true(row[1].update == 14 && row[1].loss == 0.25);
    free(row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_the_answer),
        cmocka_unit_test(test_blocks_take_turns),
        cmocka_unit_test(test_sgd_in_steps),
        cmocka_unit_test(test_resumed_after_kill_is_the_same_bits),
        cmocka_unit_test(test_nan_keeps_the_last_good_checkpoint),
        cmocka_unit_test(test_full_disk_keeps_the_former_checkpoint),
        cmocka_unit_test(test_what_does_not_go_together),
        cmocka_unit_test(test_damaged_files_are_refused),
        cmocka_unit_test(test_stopped_on_request_continues_to_the_same_bits),
        cmocka_unit_test(test_half_a_row_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
