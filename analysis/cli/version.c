/* What was built, with what. */
#include <stdio.h>

#include "analysis/cli/command.h"
#include "analysis/cli/libraries.h"
#include "analysis/cli/team.h"

#ifndef HS_VERSION
#define HS_VERSION "0.1.0"
#endif
#ifndef HS_GIT_DESCRIBE
#define HS_GIT_DESCRIBE "no git"
#endif

const char *hs_version(void)
{
    return HS_VERSION;
}

const char *hs_version_git(void)
{
    return HS_GIT_DESCRIBE;
}

const char *hs_version_long(void)
{
    static char text[600];
    char blas[200], dnnl[40], hdf5[40];
    hs_lib_blas(blas, sizeof blas);
    hs_lib_dnnl(dnnl, sizeof dnnl);
    hs_lib_hdf5(hdf5, sizeof hdf5);
    snprintf(text, sizeof text, "hspace %s (%s)\ncompiler: %s\nBLAS: %s\noneDNN: %s\nHDF5: %s%s", HS_VERSION,
             HS_GIT_DESCRIBE, __VERSION__, blas, dnnl, hdf5, hs_team_version());
    return text;
}
