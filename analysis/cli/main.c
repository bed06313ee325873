/* hspace: the program. */
#include "analysis/cli/internal.h"

#include <stdlib.h>
#include <unistd.h>

/* At a barrier libgomp's threads spin 300 000 turns before they sleep: where another program holds a core, each barrier
 * then costs that program's whole time slice, and a sweep took thirty times as long.  The count is read before main
 * begins, so the program starts itself once more with a short one.  What the user has set stays. */
static void wait_with_short_spins(char **argv)
{
    char self[4096];
    if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY") || setenv("GOMP_SPINCOUNT", "1000", 1))
        return;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return;
    self[n] = 0;
    execv(self, argv); /* returns only where it failed: then long spins it is */
}

int main(int argc, char **argv)
{
    wait_with_short_spins(argv);
    return hs_cli_main(argc, argv);
}
