#include "analysis/bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/base/alloc.h"

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double hs_bench_median(size_t n, double *v)
{
    qsort(v, n, sizeof *v, ascending);
    return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* A line "VmHWM:  123 kB" of /proc/self/status in bytes; NaN where there is none. */
static double status(const char *key)
{
    char line[256];
    unsigned long long kib;
    double bytes = NAN;
    FILE *f = fopen("/proc/self/status", "re");
    while (f != NULL && isnan(bytes) && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), ": %llu", &kib) == 1) {
            bytes = 1024.0 * (double)kib;
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return bytes;
}

double hs_bench_peak_rss(void)
{
    struct rusage u;
    double peak = status("VmHWM");
    getrusage(RUSAGE_SELF, &u);
    return isnan(peak) ? 1024.0 * (double)u.ru_maxrss : peak;
}

double hs_bench_reset_rss(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "we");
    if (f != NULL) {
        fputs("5", f);
        fclose(f);
    }
    return status("VmRSS");
}

json_t *hs_bench_number(double v)
{
    return isnan(v) ? json_null() : json_real(v);
}

int hs_bench_compare(size_t rounds, const double *ours, size_t modes, const char *const *name, const double *peer,
                     const int *ok, json_t *peers, double *ratio)
{
    double best = INFINITY, *v = NULL;
    size_t which = modes;
    int rc = HS_OK;
    HS_TRY(hs_alloc(rounds, sizeof *v, &v));
    *ratio = NAN;
    for (size_t k = 0; k < modes; k++) {
        memcpy(v, peer + k * rounds, rounds * sizeof *v);
        double m = ok[k] ? hs_bench_median(rounds, v) : INFINITY;
        json_object_set_new(peers, name[k], ok[k] ? json_real(m) : json_null());
        if (m < best) {
            best = m;
            which = k;
        }
    }
    if (which < modes) {
        for (size_t r = 0; r < rounds; r++) {
            v[r] = peer[which * rounds + r] / ours[r];
        }
        *ratio = hs_bench_median(rounds, v);
    }
out:
    free(v);
    return rc;
}
