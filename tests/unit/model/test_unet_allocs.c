/* Nothing is allocated inside a step: every allocation of the process is counted, by whose code asked for it. */
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/model/unet_grad.h"
#include "tests/support/support.h"
#include "tests/support/unets.h"

static atomic_int counting;
static atomic_size_t ours, libraries;

#ifndef __SANITIZE_ADDRESS__
/* What the linker says of where the program's code lies. */
extern const char __executable_start[], etext[];

static void count(const void *caller)
{
    if (atomic_load_explicit(&counting, memory_order_relaxed)) {
        uintptr_t at = (uintptr_t)caller;
        int own = at >= (uintptr_t)__executable_start && at < (uintptr_t)etext;
        atomic_fetch_add_explicit(own ? &ours : &libraries, 1, memory_order_relaxed);
    }
}

/* In front of the C library's, which gives these names to what they stand for. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);

void *malloc(size_t size)
{
    count(__builtin_return_address(0));
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    count(__builtin_return_address(0));
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    count(__builtin_return_address(0));
    return __libc_realloc(p, size);
}

void *aligned_alloc(size_t align, size_t size)
{
    count(__builtin_return_address(0));
    return __libc_memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size)
{
    count(__builtin_return_address(0));
    *out = __libc_memalign(align, size);
    return *out != NULL ? 0 : ENOMEM;
}

#define need_counter()
#else
#define need_counter() skip() /* the sanitizer's own functions stand there */
#endif

static void count_from_here(void)
{
    atomic_store(&ours, 0);
    atomic_store(&libraries, 0);
    atomic_store(&counting, 1);
}

static void test_counter_counts(void **state)
{
    (void)state;
    need_counter();
    void *p = NULL, *q = NULL;
    count_from_here();
    int rc = hs_alloc(1000, 4, &p), rc2 = hs_calloc(1000, 4, &q);
    atomic_store(&counting, 0);
    assert_ok(rc);
    assert_ok(rc2);
    assert_int_equal(ours, 2);
    assert_int_equal(libraries, 0);
    free(p);
    free(q);
}

enum { N = 3, D_MAX = 3 * 16 * 16, H_MAX = 64 * 4 * 4, KEPT = 4096 };

typedef struct {
    hs_unet *u;
    hs_unet_grad *g;
    float x[N * D_MAX], h[N * H_MAX], eps[N * D_MAX], *grad;
} setup;

static int step(setup *s)
{
    static const int t[N] = {900, 500, 3};
    static const size_t of[N] = {2, 0, 2};
    hs_unet_jacobian j = {s->g, HS_MAP_X0HAT_X, 1, 0.5};
    hs_linop op = hs_unet_linop(&j);
    int rc = HS_OK;
    HS_TRY(hs_unet_grad_encode(s->g, N, s->x, t, s->h));
    HS_TRY(hs_unet_grad_decode(s->g, s->h, s->eps));
    HS_TRY(hs_unet_jvp_encode(s->g, N, of, s->x, s->h));
    HS_TRY(hs_unet_jvp_decode(s->g, N, of, HS_SKIPS_CARRIED, s->h, s->eps));
    HS_TRY(hs_unet_vjp_decode(s->g, N, of, HS_SKIPS_CARRIED, s->x, s->h));
    HS_TRY(hs_unet_vjp_encode(s->g, N, of, HS_SKIPS_CARRIED, s->h, s->eps));
    HS_TRY(op.apply(op.ctx, N, s->x, s->eps));
    HS_TRY(op.apply_adjoint(op.ctx, N, s->x, s->eps));
    HS_TRY(hs_unet_backward(s->g, s->x, s->grad));
    hs_unet_refresh(s->u);
    HS_TRY(hs_unet_grad_refresh(s->g));
out:
    return rc;
}

static size_t bytes_held(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* Steps after the first, which may fill what the libraries keep. */
static void steps_allocate_nothing(unet_kind kind, hs_conv_mode mode)
{
    static setup s;
    size_t n;
    s.u = unet_trainable(kind, 1);
    (void)hs_unet_theta(s.u, &n);
    assert_ok(hs_calloc(n, sizeof *s.grad, &s.grad));
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 0}, 0, N * D_MAX, s.x);
    assert_ok(hs_unet_grad_create(s.u, N, N, 1, mode, &s.g));
    assert_ok(step(&s));
    size_t before = bytes_held();
    int rc = HS_OK;
    count_from_here();
    for (int i = 0; i < 3 && rc == HS_OK; i++) {
        rc = step(&s);
    }
    atomic_store(&counting, 0);
    assert_ok(rc);
    size_t after = bytes_held();
    assert_int_equal(ours, 0);
    if (after > before + KEPT) {
        fail_msg("%s, mode %d: three steps keep %zu bytes", unet_name(kind), (int)mode, after - before);
    }
    hs_unet_grad_free(s.g);
    hs_unet_free(s.u);
    free(s.grad);
}

/* hspace's code asks for no memory at all.  The libraries below it (OpenMP's teams, oneDNN's streams, OpenBLAS)
 * do, for as long as a call takes: what they hold doesn't grow. */
static void test_a_step_allocates_nothing(void **state)
{
    (void)state;
    need_counter();
    static const hs_conv_mode modes[4] = {HS_CONV_IM2COL, HS_CONV_DIRECT, HS_CONV_WINOGRAD, HS_CONV_AUTO};
    for (unet_kind kind = 0; kind < UNETS; kind++) {
        for (size_t i = 0; i < 4; i++) {
            steps_allocate_nothing(kind, modes[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counter_counts),
        cmocka_unit_test(test_a_step_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
