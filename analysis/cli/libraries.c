/* The layers keep the libraries' headers out of the program; these few symbols of their stable
 * interfaces are looked up weakly instead, so that another BLAS or no oneDNN links too. */
#include "analysis/cli/libraries.h"

#include <stdio.h>

/* The leading, never changed members of dnnl_version_t. */
typedef struct {
    int major, minor, patch;
} dnnl_numbers;

char *openblas_get_config(void) __attribute__((weak));
int openblas_get_parallel(void) __attribute__((weak));
const dnnl_numbers *dnnl_version(void) __attribute__((weak));
int H5get_libversion(unsigned *, unsigned *, unsigned *) __attribute__((weak));

void hs_lib_blas(char *out, size_t size)
{
    snprintf(out, size, "%s", openblas_get_config != NULL ? openblas_get_config() : "not OpenBLAS");
}

int hs_lib_blas_threading(void)
{
    return openblas_get_parallel != NULL ? openblas_get_parallel() : -1;
}

void hs_lib_dnnl(char *out, size_t size)
{
    const dnnl_numbers *v = dnnl_version != NULL ? dnnl_version() : NULL;
    snprintf(out, size, "none");
    if (v != NULL) {
        snprintf(out, size, "%d.%d.%d", v->major, v->minor, v->patch);
    }
}

void hs_lib_hdf5(char *out, size_t size)
{
    unsigned a = 0, b = 0, c = 0;
    snprintf(out, size, "none");
    if (H5get_libversion != NULL && H5get_libversion(&a, &b, &c) >= 0) {
        snprintf(out, size, "%u.%u.%u", a, b, c);
    }
}
