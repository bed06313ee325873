#include "core/io/h5jail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/io/h5file.h"

typedef struct {
    int rc;
    char message[480];
} report;

#if defined(__x86_64__)
#define JAIL_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define JAIL_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef JAIL_ARCH
#define FIELD(f)          BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, f))
#define IF_EQ(k, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(k), yes, no)
#define RETURN(v)         BPF_STMT(BPF_RET | BPF_K, (unsigned)(v))
#define ALLOW(nr)         IF_EQ(nr, 0, 1), RETURN(SECCOMP_RET_ALLOW)
#define REFUSE            RETURN(SECCOMP_RET_ERRNO | EPERM)

/* A call that isn't listed fails with EPERM rather than killing, so that what a sanitizer or another C
 * library asks for besides is merely refused. */
static int filter_calls(int pipe_fd, int may_open)
{
    struct sock_filter f[] = {
        FIELD(arch), IF_EQ(JAIL_ARCH, 1, 0), REFUSE, FIELD(nr), ALLOW(SYS_read), ALLOW(SYS_pread64), ALLOW(SYS_lseek),
        ALLOW(SYS_fstat), ALLOW(SYS_newfstatat), ALLOW(SYS_close), ALLOW(SYS_flock), ALLOW(SYS_mmap), ALLOW(SYS_munmap),
        ALLOW(SYS_mremap), ALLOW(SYS_mprotect), ALLOW(SYS_madvise), ALLOW(SYS_brk), ALLOW(SYS_futex),
        ALLOW(SYS_rt_sigprocmask), ALLOW(SYS_rt_sigaction), ALLOW(SYS_rt_sigreturn), ALLOW(SYS_sigaltstack),
        ALLOW(SYS_getpid), ALLOW(SYS_gettid), ALLOW(SYS_clock_gettime), ALLOW(SYS_getrandom), ALLOW(SYS_exit),
        ALLOW(SYS_exit_group), ALLOW(SYS_sched_yield),
        /* abort() signals the process itself, no other. */
        IF_EQ(SYS_tgkill, 0, 4), FIELD(args[0]), IF_EQ(getpid(), 0, 1), RETURN(SECCOMP_RET_ALLOW), REFUSE,
        IF_EQ(SYS_write, 0, 5), FIELD(args[0]), IF_EQ(pipe_fd, 1, 0), IF_EQ(2, 0, 1), RETURN(SECCOMP_RET_ALLOW), REFUSE,
        /* Only until the file is open: opening for reading, and the second filter. */
        IF_EQ(may_open, 0, 0), IF_EQ(may_open ? SYS_prctl : 0xffffffffu, 0, 1), RETURN(SECCOMP_RET_ALLOW),
        IF_EQ(may_open ? SYS_openat : 0xffffffffu, 0, 4), FIELD(args[2]),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_ACCMODE | O_CREAT | O_TRUNC, 1, 0), RETURN(SECCOMP_RET_ALLOW), REFUSE,
        REFUSE};
    struct sock_fprog prog = {sizeof f / sizeof f[0], f};
    if (may_open && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return -1;
    }
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}
#else
static int filter_calls(int pipe_fd, int may_open)
{
    (void)pipe_fd;
    (void)may_open;
    return 0;
}
#endif

static void limit(int what, rlim_t to)
{
    struct rlimit r;
    if (getrlimit(what, &r) == 0 && (r.rlim_max == RLIM_INFINITY || to < r.rlim_max)) {
        r.rlim_cur = r.rlim_max = to;
        setrlimit(what, &r);
    }
}

/* Bytes of address space in use now: the limit is set on top of what was inherited. */
static rlim_t address_space(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f != NULL) {
        if (fscanf(f, "%lu", &pages) != 1) {
            pages = 0;
        }
        fclose(f);
    }
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* target: path with its links followed; path is for the message. */
static int open_read_only(const char *path, const char *target, hid_t *file)
{
    hs_h5_begin();
    hid_t fapl = hs_h5_access();
    hid_t f = H5Fopen(target, H5F_ACC_RDONLY, fapl);
    H5Pclose(fapl);
    if (f < 0) {
        return hs_fail(HS_EFORMAT,
                       "%s: is not an HDF5 file, is damaged, or is marked as open for writing (h5clear -s repairs "
                       "that)",
                       path);
    }
    *file = f;
    return HS_OK;
}

static void close_others(int keep)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)keep + 1, ~0u, 0) == 0) {
        syscall(SYS_close_range, 3, (unsigned)keep - 1, 0);
        return;
    }
#endif
    for (int i = 3; i < 1024; i++) {
        if (i != keep) {
            close(i);
        }
    }
}

static _Noreturn void child(const char *path, const char *target, rlim_t seconds, int (*plan)(hid_t, void *), void *ctx,
                            int fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int s = 1; s < 32; s++) {
        if (s != SIGPIPE && s != SIGXFSZ) {
            signal(s, SIG_DFL);
        }
    }
    /* A lock held by the parent must not outlive it in here. */
    close_others(fd);
    rlim_t space = address_space();
    if (space > 0) {
        limit(RLIMIT_AS, space + ((rlim_t)1 << 30));
    }
    limit(RLIMIT_CPU, seconds);
    limit(RLIMIT_CORE, 0);
    report r = {0};
    hid_t file = -1;
    if (filter_calls(fd, 1) != 0) {
        r.rc = hs_fail_errno(path, "the system call filter of the child that parses it");
    } else {
        r.rc = open_read_only(path, target, &file);
        if (r.rc == HS_OK && filter_calls(fd, 0) != 0) {
            r.rc = hs_fail_errno(path, "the system call filter of the child that parses it");
        }
        r.rc = r.rc == HS_OK ? plan(file, ctx) : r.rc;
        H5Fclose(file);
    }
    snprintf(r.message, sizeof r.message, "%s", r.rc == HS_OK ? "" : hs_error_message());
    _exit(write(fd, &r, sizeof r) == (ssize_t)sizeof r ? 0 : 1);
}

static int wait_report(const char *path, pid_t pid, int fd)
{
    report r = {0};
    size_t got = 0;
    int status = 0;
    while (got < sizeof r) {
        ssize_t k = read(fd, (char *)&r + got, sizeof r - got);
        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k <= 0) {
            break;
        }
        got += (size_t)k;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (got < sizeof r || (WIFSIGNALED(status) && r.rc == HS_OK)) {
        int slow = WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL);
        return hs_fail(HS_EFORMAT, "%s: the HDF5 library %s on this file", path,
                       slow ? "ran out of its time" : "crashed");
    }
    r.message[sizeof r.message - 1] = '\0';
    return r.rc == HS_OK ? HS_OK : hs_fail(r.rc, "%s", r.message);
}

static int jailed(const char *path, const char *target, rlim_t seconds, int (*plan)(hid_t, void *), void *ctx)
{
    int fd[2];
    if (pipe2(fd, O_CLOEXEC) != 0) {
        return hs_fail_errno(path, "making a pipe to the child that parses it");
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(fd[0]);
        child(path, target, seconds, plan, ctx, fd[1]);
    }
    close(fd[1]);
    int rc = pid < 0 ? hs_fail_errno(path, "starting the child that parses it") : wait_report(path, pid, fd[0]);
    close(fd[0]);
    return rc;
}

int hs_h5jail_open(const char *path, int (*plan)(hid_t file, void *ctx), void *ctx, hid_t *file)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return hs_fail_errno(path, "opening");
    }
    int regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    close(fd);
    if (!regular) {
        return hs_fail(HS_EFORMAT, "%s: is not a regular file", path);
    }
    /* The jail may not follow links; the user, who named this one, may. */
    char *target = realpath(path, NULL);
    if (target == NULL) {
        return hs_fail_errno(path, "opening");
    }
    hs_h5_begin();
    /* 2 s, and 20 MB/s for what must be decoded. */
    int rc = jailed(path, target, 2 + (rlim_t)st.st_size / 20000000, plan, ctx);
    rc = rc != HS_OK ? rc : open_read_only(path, target, file);
    free(target);
    return rc;
}
