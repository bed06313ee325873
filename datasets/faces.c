#include "datasets/faces.h"

#include <math.h>
#include <string.h>

#include "core/base/rng.h"
#include "datasets/faces_parts.h"

static const hs_face_factor factors[HS_F_COUNT] = {
    [HS_F_SMILE] = {"smile", HS_FACE_CONTINUOUS, -1, 1, "corners down, pale cheeks ... corners up, rosy cheeks"},
    [HS_F_MOUTH_OPEN] = {"mouth_open", HS_FACE_CONTINUOUS, 0, 1, "closed ... wide open"},
    [HS_F_EYE_OPEN] = {"eye_open", HS_FACE_CONTINUOUS, 0, 1, "narrow ... round"},
    [HS_F_BROW] = {"brow", HS_FACE_CONTINUOUS, -1, 1, "inner ends down (cross) ... up (worried)"},
    [HS_F_FACE_WIDTH] = {"face_width", HS_FACE_CONTINUOUS, 0.8, 1.1, "narrow ... broad, times the usual width"},
    [HS_F_AGE] = {"age", HS_FACE_CONTINUOUS, 0, 1, "smooth, coloured hair ... wrinkles, greying hair"},
    [HS_F_SKIN] = {"skin", HS_FACE_CONTINUOUS, 0, 1, "fair ... deep"},
    [HS_F_HAIR_LENGTH] = {"hair_length", HS_FACE_CONTINUOUS, 0, 1, "to the ears ... to the shoulders"},
    [HS_F_HAIR_HUE] = {"hair_hue", HS_FACE_CONTINUOUS, 0, 1, "an arc of hues: first ... last"},
    [HS_F_BEARD] = {"beard", HS_FACE_BINARY, 0, 1, "shaven, full beard"},
    [HS_F_GLASSES] = {"glasses", HS_FACE_BINARY, 0, 1, "none, round"},
    [HS_F_HAT] = {"hat", HS_FACE_BINARY, 0, 1, "none, on the head"},
    [HS_F_YAW] = {"yaw", HS_FACE_CONTINUOUS, -1, 1, "turned to the picture's left ... right"},
    [HS_F_LIGHT] = {"light", HS_FACE_CONTINUOUS, -1, 1, "from the picture's left ... right"},
    [HS_F_BACKGROUND] = {"background", HS_FACE_CONTINUOUS, 0, 1, "an arc of hues: first ... last"},
};

/* The planted correlations.  No factor occurs twice: every pair is drawn by itself. */
static const struct {
    int a, b;
    double r;
} planted[] = {{HS_F_AGE, HS_F_GLASSES, 0.4},
               {HS_F_HAIR_LENGTH, HS_F_BEARD, -0.3},
               {HS_F_SMILE, HS_F_MOUTH_OPEN, 0.3},
               {HS_F_BROW, HS_F_EYE_OPEN, 0.25}};
enum { PLANTED = sizeof planted / sizeof *planted };

size_t hs_face_factor_count(void)
{
    return HS_F_COUNT;
}

const hs_face_factor *hs_face_factor_at(size_t i)
{
    return i < HS_F_COUNT ? &factors[i] : NULL;
}

int hs_face_factor_find(const char *name)
{
    for (int i = 0; i < HS_F_COUNT; i++) {
        if (strcmp(factors[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

double hs_face_correlation(size_t i, size_t j)
{
    for (size_t k = 0; k < PLANTED; k++) {
        size_t a = (size_t)planted[k].a, b = (size_t)planted[k].b;
        if ((i == a && j == b) || (i == b && j == a)) {
            return planted[k].r;
        }
    }
    return i == j ? 1 : 0;
}

/* The correlation of the normals that gives the drawn values the Pearson correlation r.  Of two
 * uniforms r = 6/pi asin(rho / 2); of a uniform and a fair coin, 2 sqrt(3) / pi asin(rho / sqrt(2)). */
static double copula(hs_face_kind a, hs_face_kind b, double r)
{
    const double pi = 3.14159265358979323846;
    if (a == HS_FACE_CONTINUOUS && b == HS_FACE_CONTINUOUS) {
        return 2 * sin(pi * r / 6);
    }
    return sqrt(2) * sin(pi * r / (2 * sqrt(3)));
}

void hs_face_draw(uint64_t seed, uint64_t index, double *factor)
{
    float z[HS_F_COUNT];
    double g[HS_F_COUNT];
    hs_rng_normal((hs_rng){seed, HS_RNG_FACES, index}, 0, HS_F_COUNT, z);
    for (int i = 0; i < HS_F_COUNT; i++) {
        g[i] = (double)z[i];
    }
    for (size_t k = 0; k < PLANTED; k++) {
        int a = planted[k].a, b = planted[k].b;
        double rho = copula(factors[a].kind, factors[b].kind, planted[k].r);
        g[b] = rho * g[a] + sqrt(1 - rho * rho) * g[b];
    }
    for (int i = 0; i < HS_F_COUNT; i++) {
        double u = 0.5 * erfc(-g[i] / sqrt(2));
        factor[i] = factors[i].kind == HS_FACE_BINARY ? (double)(g[i] > 0)
                                                      : factors[i].lo + u * (factors[i].hi - factors[i].lo);
    }
}

static const struct {
    const char *name;
    void (*draw)(hs_canvas *c, const double *factor, const hs_face_parts *p);
} styles[] = {{"paint", hs_face_paint}, {"lines", hs_face_lines}};
enum { STYLES = sizeof styles / sizeof *styles };

size_t hs_face_style_count(void)
{
    return STYLES;
}

const char *hs_face_style_name(size_t i)
{
    return i < STYLES ? styles[i].name : NULL;
}

int hs_face_render(size_t style, const double *factor, size_t size, float *rgb)
{
    double f[HS_F_COUNT];
    hs_face_parts parts;
    if (style >= STYLES) {
        return hs_fail(HS_ERANGE, "faces: style %zu; wanted less than %d", style, (int)STYLES);
    }
    if (size < 8 || size > HS_DRAW_SIDE) {
        return hs_fail(HS_ERANGE, "faces: %zu pixels a side; wanted 8 to %d", size, (int)HS_DRAW_SIDE);
    }
    for (int i = 0; i < HS_F_COUNT; i++) {
        double v = factor[i] > factors[i].lo ? factor[i] : factors[i].lo;
        f[i] = v < factors[i].hi ? v : factors[i].hi;
    }
    hs_canvas c = {rgb, size, 2.0f / (float)size};
    hs_face_parts_of(f, &parts);
    styles[style].draw(&c, f, &parts);
    hs_draw_finish(&c);
    return HS_OK;
}
