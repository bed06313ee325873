/* Versions of the libraries the program runs with, asked at run time. */
#ifndef HS_CLI_LIBRARIES_H
#define HS_CLI_LIBRARIES_H

#include <stddef.h>

/* "OpenBLAS 0.3.21 ...", "not OpenBLAS" */
void hs_lib_blas(char *out, size_t size);
/* OpenBLAS's threading: 0 none, 1 pthreads, 2 OpenMP; -1 another BLAS */
int hs_lib_blas_threading(void);
/* "2.6.2", "none" */
void hs_lib_dnnl(char *out, size_t size);
void hs_lib_hdf5(char *out, size_t size);

#endif
