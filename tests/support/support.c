#include "tests/support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/io/file.h"

double max_rel_f32(const float *a, const float *b, size_t n)
{
    double worst = 0, scale = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        worst = isfinite(d) ? fmax(worst, d) : INFINITY;
        scale = fmax(scale, fabs((double)b[i]));
    }
    return scale > 0 ? worst / scale : worst;
}

double max_rel_f64(const double *a, const double *b, size_t n)
{
    double worst = 0, scale = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs(a[i] - b[i]);
        worst = isfinite(d) ? fmax(worst, d) : INFINITY;
        scale = fmax(scale, fabs(b[i]));
    }
    return scale > 0 ? worst / scale : worst;
}

char *read_text(const char *path)
{
    unsigned char *b;
    size_t n;
    assert_ok(hs_file_read(path, 1 << 24, &b, &n));
    char *s = realloc(b, n + 1);
    assert_non_null(s);
    s[n] = '\0';
    return s;
}

const char *shared_data(const char *file)
{
    static char path[1024];
    const char *root = getenv("HSPACE_SHARED_DATA");
    snprintf(path, sizeof path, "%s/%s", root != NULL ? root : "../shared/data", file);
    if (access(path, R_OK) != 0) {
        printf("SKIP: %s is absent (tests on real data need ../shared/data)\n", path);
        return NULL;
    }
    return path;
}

static char temp_dir[64];

static void remove_temp(void)
{
    char cmd[128];
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", temp_dir);
    if (system(cmd) != 0) {
        fprintf(stderr, "%s could not be removed\n", temp_dir);
    }
}

const char *temp_path(const char *name)
{
    static char path[4][256];
    static unsigned next;
    if (temp_dir[0] == '\0') {
        snprintf(temp_dir, sizeof temp_dir, "/tmp/hspace-test-XXXXXX");
        if (mkdtemp(temp_dir) == NULL) {
            abort();
        }
        atexit(remove_temp);
    }
    char *p = path[next++ % 4];
    snprintf(p, 256, "%s/%s", temp_dir, name);
    return p;
}
