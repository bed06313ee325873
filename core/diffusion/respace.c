/* guided-diffusion's respaced processes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/diffusion/schedule.h"

enum { SECTIONS_MAX = 256 };

/* t (room for S) <- every i-th timestep, ascending. */
static int every_ith(size_t T, size_t S, int *t)
{
    for (size_t i = 1; i < T; i++) {
        if ((T - 1) / i + 1 == S) {
            for (size_t k = 0; k < S; k++) {
                t[k] = (int)(k * i);
            }
            return HS_OK;
        }
    }
    return hs_fail(HS_ERANGE, "respacing ddim%zu: no whole stride through T = %zu gives so many timesteps", S, T);
}

/* t <- the timesteps of all sections, ascending.  The place within a section is a running sum, rounded half to even, as
 * the reference adds it up. */
static int in_sections(size_t T, size_t n, const size_t *count, int *t)
{
    size_t start = 0, k = 0;
    for (size_t i = 0; i < n; i++) {
        size_t size = T / n + (i < T % n ? 1 : 0);
        double at = 0, stride = count[i] > 1 ? (double)(size - 1) / (double)(count[i] - 1) : 1;
        if (count[i] > size) {
            return hs_fail(HS_ERANGE, "respacing: %zu timesteps of a section of %zu", count[i], size);
        }
        for (size_t j = 0; j < count[i]; j++) {
            t[k++] = (int)start + (int)rint(at);
            at += stride;
        }
        start += size;
    }
    return HS_OK;
}

/* count[0..*n) <- the whole numbers of a text with commas. */
static int read_counts(const char *text, size_t T, size_t *n, size_t *count)
{
    for (*n = 0; *n < SECTIONS_MAX;) {
        char one[24];
        size_t len = strcspn(text, ",");
        int64_t v = 0;
        memcpy(one, text, len < sizeof one ? len : 0);
        one[len < sizeof one ? len : 0] = '\0';
        if (hs_text_i64(one, 1, (int64_t)T, &v) != HS_OK) {
            break;
        }
        count[(*n)++] = (size_t)v;
        if (text[len] == '\0') {
            return HS_OK;
        }
        text += len + 1;
    }
    return hs_fail(HS_ERANGE, "respacing: wanted N, A,B,... or ddimN, of numbers from 1 to T = %zu", T);
}

static void turn_round(size_t n, int *t)
{
    for (size_t i = 0; i < n / 2; i++) {
        int swap = t[i];
        t[i] = t[n - 1 - i];
        t[n - 1 - i] = swap;
    }
}

int hs_steps_respaced(const hs_schedule *s, const char *respacing, hs_steps *out)
{
    size_t count[SECTIONS_MAX], n = 0, S = 0;
    int *t = NULL, rc = HS_OK, strided = strncmp(respacing, "ddim", 4) == 0;
    HS_TRY(read_counts(respacing + (strided ? 4 : 0), s->T, &n, count));
    if (strided && n != 1) {
        return hs_fail(HS_ERANGE, "respacing: ddim goes with one number");
    }
    for (size_t i = 0; i < n; i++) {
        HS_TRY(hs_size_add(S, count[i], &S));
    }
    HS_TRY(hs_alloc(S, sizeof *t, &t));
    HS_TRY(strided ? every_ith(s->T, S, t) : in_sections(s->T, n, count, t));
    turn_round(S, t);
    HS_TRY(hs_steps_from_list(s, S, t, out));
out:
    free(t);
    return rc;
}
