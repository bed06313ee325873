#include "analysis/cli/team.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef HS_HAVE_MPI
#include <mpi.h>
#endif

#include "analysis/cli/internal.h"
#include "core/base/sha256.h"

/* How many processes a launcher says it started; 1: none does. */
static long launched(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = getenv(names[i]);
        long n = text != NULL ? strtol(text, NULL, 10) : 0;
        if (n > 0) {
            return n;
        }
    }
    return 1;
}

int hs_team_check(const hs_cmd *c, hs_team *team, const char *id)
{
    hs_str all = {0};
    char hex[HS_SHA256_HEX];
    int rc = HS_OK;
    if (team == NULL) {
        return HS_OK;
    }
    hs_str_addf(&all, "%s\n%s\n%s\n", hs_version_long(), hs_cmd_line(c), id);
    HS_TRY(hs_str_ok(&all));
    HS_TRY(hs_sha256_of(all.s, all.len, hex));
    HS_TRY(hs_team_same(team, hex, "program, BLAS kernels, command line and data"));
out:
    hs_str_free(&all);
    return rc;
}

#ifdef HS_HAVE_MPI

enum { MESSAGE_MOST = 1 << 30, SPINS = 2000, TAG = 1 };

const char *hs_team_version(void)
{
    return "\nMPI: yes";
}

/* Waits for one message, but not for ever: a rank that was killed sends none, and the launcher then ends the others
 * by a signal. */
static int await(MPI_Request *request)
{
    for (unsigned turn = 0;; turn++) {
        int done = 0;
        if (MPI_Test(request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS) {
            return hs_fail(HS_EIO, "MPI: a message to or from another rank failed");
        }
        if (done) {
            return HS_OK;
        }
        if (hs_signals_stop_wanted()) {
            return hs_fail(HS_ESTOPPED, "MPI: stopped while waiting for another rank; start the same command again");
        }
        if (turn > SPINS) {
            nanosleep(&(struct timespec){0, turn > 2 * SPINS ? 1000000 : 50000}, NULL);
        }
    }
}

static int mpi_send(void *ctx, size_t to, const void *bytes, size_t len)
{
    (void)ctx;
    for (const char *p = bytes; len > 0;) {
        size_t n = len < MESSAGE_MOST ? len : MESSAGE_MOST;
        MPI_Request request;
        int rc = MPI_Isend(p, (int)n, MPI_BYTE, (int)to, TAG, MPI_COMM_WORLD, &request) == MPI_SUCCESS
                     ? await(&request)
                     : hs_fail(HS_EIO, "MPI: sending to rank %zu failed", to);
        if (rc != HS_OK) {
            return rc;
        }
        p += n;
        len -= n;
    }
    return HS_OK;
}

static int mpi_receive(void *ctx, size_t from, void *bytes, size_t len)
{
    (void)ctx;
    for (char *p = bytes; len > 0;) {
        size_t n = len < MESSAGE_MOST ? len : MESSAGE_MOST;
        MPI_Request request;
        int rc = MPI_Irecv(p, (int)n, MPI_BYTE, (int)from, TAG, MPI_COMM_WORLD, &request) == MPI_SUCCESS
                     ? await(&request)
                     : hs_fail(HS_EIO, "MPI: receiving from rank %zu failed", from);
        if (rc != HS_OK) {
            return rc;
        }
        p += n;
        len -= n;
    }
    return HS_OK;
}

int hs_team_begin(hs_cmd *c, hs_team **out)
{
    static hs_team team = {.send = mpi_send, .receive = mpi_receive};
    int rank = 0, size = 0;
    long wanted = launched();
    *out = NULL;
    if (wanted < 2) {
        return HS_OK;
    }
    if (MPI_Init(NULL, NULL) != MPI_SUCCESS ||
        MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN) != MPI_SUCCESS ||
        MPI_Comm_rank(MPI_COMM_WORLD, &rank) != MPI_SUCCESS || MPI_Comm_size(MPI_COMM_WORLD, &size) != MPI_SUCCESS) {
        return hs_fail(HS_EIO, "MPI: it can't be started");
    }
    if (size != wanted) {
        return hs_fail(HS_ERANGE,
                       "MPI: sees %d of %ld processes; wanted the launcher of this MPI (mpirun, srun --mpi=pmix)", size,
                       wanted);
    }
    team.rank = (size_t)rank;
    team.size = (size_t)size;
    json_object_set_new(hs_cmd_params(c), "ranks", json_integer(size));
    if (rank > 0) {
        hs_log_set(NULL, NULL);
        hs_progress_start(1);
        c->unheard = 1;
        if (freopen("/dev/null", "w", stdout) == NULL) {
            return hs_fail_errno("stdout", "closing");
        }
    }
    *out = &team;
    return HS_OK;
}

int hs_team_end(hs_team *team, int rc)
{
    if (team == NULL) {
        return rc;
    }
    if (rc == HS_OK || team->agreed) {
        if (team->rank > 0 && rc != HS_OK && freopen("/dev/null", "w", stderr) == NULL) {
            hs_log(HS_LOG_DEBUG, "stderr stays open");
        }
        MPI_Finalize();
    }
    return rc;
}

#else

const char *hs_team_version(void)
{
    return "";
}

int hs_team_begin(hs_cmd *c, hs_team **out)
{
    *out = NULL;
    if (launched() > 1) {
        return hs_fail(HS_ERANGE,
                       "%s: one of %ld processes, but this hspace is built without MPI; make MPI=1 builds it",
                       c->def->name, launched());
    }
    return HS_OK;
}

int hs_team_end(hs_team *team, int rc)
{
    (void)team;
    return rc;
}

#endif
