#include "datasets/faces_parts.h"

#include <math.h>
#include <string.h>

static const float pi = 3.14159265f;

void hs_face_hsv(float hue, float saturation, float value, float *rgb)
{
    for (int k = 0; k < 3; k++) {
        float h = hue * 6 + (float)(k == 0 ? 5 : k == 1 ? 3 : 1), m = h - 6 * floorf(h / 6);
        float w = m < 4 - m ? m : 4 - m;
        w = w < 0 ? 0 : w > 1 ? 1 : w;
        rgb[k] = value * (1 - saturation * w);
    }
}

void hs_face_mix(const float *a, const float *b, float w, float *out)
{
    for (int k = 0; k < 3; k++) {
        out[k] = a[k] + w * (b[k] - a[k]);
    }
}

/* A parabola from a to b, its middle moved down by sag. */
static void curve(hs_point a, hs_point b, float sag, hs_point *out)
{
    for (int i = 0; i < HS_FACE_CURVE; i++) {
        float t = (float)i / (HS_FACE_CURVE - 1), m = 4 * t * (1 - t);
        out[i] = (hs_point){a.x + t * (b.x - a.x), a.y + t * (b.y - a.y) + sag * m};
    }
}

static void set_head(float yaw, float width, hs_face_parts *p)
{
    p->head_x = 0.05f * yaw;
    p->head_rx = 0.62f * width;
    for (int i = 0; i < HS_FACE_RING; i++) {
        float a = 2 * pi * (float)i / HS_FACE_RING, s = sinf(a), jaw = s > 0 ? 1 - 0.10f * s * s : 1;
        p->head[i] = (hs_point){p->head_x + p->head_rx * cosf(a) * jaw, 0.12f + (s > 0 ? 0.76f : 0.78f) * s};
    }
    for (int k = 0; k < 2; k++) {
        float side = k == 0 ? -1 : 1;
        p->ear[k] = (hs_point){p->head_x + side * p->head_rx * (0.99f - 0.06f * yaw * side) - 0.05f * yaw, 0.18f};
    }
}

/* A dome over the head that ends at bottom, rounded. */
static void set_hair(float yaw, float length, hs_face_parts *p)
{
    float x = -0.03f * yaw, half = 0.76f + 0.06f * length, bottom = -0.02f + 0.92f * length;
    const int dome = 18, rest = HS_FACE_HAIR - dome;
    for (int i = 0; i < dome; i++) {
        float a = pi * (1 + (float)i / (float)(dome - 1));
        p->hair[i] = (hs_point){x + half * cosf(a), -0.12f + 0.80f * sinf(a)};
    }
    for (int i = 0; i < rest; i++) {
        float a = pi * ((float)i + 0.5f) / (float)rest, u = cosf(a), v = sinf(a);
        u = u < 0 ? -sqrtf(-u) : sqrtf(u);
        p->hair[dome + i] = (hs_point){x + half * u, bottom - 0.14f + 0.24f * sqrtf(v)};
    }
}

static void set_fringe(float yaw, hs_face_parts *p)
{
    float left = p->head_x - p->head_rx * 0.97f, right = p->head_x + p->head_rx * 0.97f, part = 0.10f * yaw;
    for (int i = 0; i < HS_FACE_FRINGE; i++) {
        float t = (float)i / (HS_FACE_FRINGE - 1), u = 2 * t - 1, x = left + t * (right - left);
        p->fringe[i] = (hs_point){x, 0.02f - 0.84f * sqrtf(1.02f - u * u)};
        float lock = 0.035f * cosf(3 * pi * (u - part));
        p->fringe[2 * HS_FACE_FRINGE - 1 - i] = (hs_point){x, -0.43f + 0.36f * u * u * u * u + lock};
    }
}

static void set_beard(hs_face_parts *p, float mouth_x)
{
    const int chin = 13, top = HS_FACE_BEARD - chin;
    for (int i = 0; i < chin; i++) {
        float a = pi * (0.02f + 0.96f * (float)i / (float)(chin - 1)), s = sinf(a);
        p->beard[i] = (hs_point){p->head_x + p->head_rx * cosf(a) * (1 - 0.10f * s * s), 0.16f + 0.80f * s};
    }
    for (int i = 0; i < top; i++) {
        float u = 2 * (float)(i + 1) / (float)(top + 1) - 1, w = 1 - u * u;
        p->beard[chin + i] = (hs_point){p->head_x + u * p->head_rx * 0.95f + w * (mouth_x - p->head_x),
                                        0.20f + 0.34f * sinf(pi * fabsf(u)) * fabsf(u) + 0.16f * w};
    }
}

/* x, or the nearest place within part of the head's half width. */
static float on_face(const hs_face_parts *p, float x, float part)
{
    float u = (x - p->head_x) / p->head_rx;
    u = u < -part ? -part : u > part ? part : u;
    return p->head_x + u * p->head_rx;
}

static void set_mouth(float smile, float open, float yaw, hs_face_parts *p)
{
    hs_point m = {0.15f * yaw + p->head_x, 0.55f};
    float half = 0.26f + 0.03f * smile;
    for (int i = 0; i < HS_FACE_CURVE; i++) {
        float u = 2 * (float)i / (HS_FACE_CURVE - 1) - 1, x = m.x + half * u * (1 - 0.15f * yaw * u);
        float y = m.y + 0.28f * smile * (0.45f - u * u), gap = (0.02f + 0.30f * open) * (1 - u * u);
        p->upper[i] = (hs_point){x, y - 0.35f * gap};
        p->lower[i] = (hs_point){x, y + 0.65f * gap};
        p->mouth[i] = p->upper[i];
        p->mouth[2 * HS_FACE_CURVE - 1 - i] = p->lower[i];
    }
    for (int k = 0; k < 2; k++) {
        float side = k == 0 ? -1 : 1;
        p->cheek[k] =
            (hs_point){on_face(p, m.x + side * 0.40f * (1 - 0.15f * yaw * side), 0.68f), 0.34f - 0.07f * smile};
        hs_point a = {on_face(p, m.x + side * 0.20f, 0.74f), 0.28f},
                 b = {on_face(p, m.x + side * 0.38f, 0.74f), 0.56f - 0.08f * smile};
        curve(a, b, -0.03f, p->fold[k]);
    }
    set_beard(p, m.x);
}

static void set_eyes(const double *f, hs_face_parts *p)
{
    float yaw = (float)f[HS_F_YAW], smile = (float)f[HS_F_SMILE], open = (float)f[HS_F_EYE_OPEN];
    float x = 0.14f * yaw + p->head_x, y = 0.04f, brow = (float)f[HS_F_BROW];
    p->eye_ry = 0.045f + 0.125f * open - 0.012f * smile;
    p->pupil_r = 0.095f;
    p->lens_ry = 0.20f;
    for (int k = 0; k < 2; k++) {
        float side = k == 0 ? -1 : 1, near = 1 - 0.18f * yaw * side;
        float ex = x + side * (0.13f + 0.24f * p->head_rx) * near;
        p->eye[k] = (hs_point){ex, y - 0.02f * smile};
        p->eye_rx[k] = 0.14f * near;
        p->pupil[k] = (hs_point){ex + 0.05f * yaw, p->eye[k].y};
        p->lens[k] = (hs_point){ex, y};
        p->lens_rx[k] = 0.20f * near;
        hs_point in = {x + side * 0.12f, -0.25f - 0.13f * brow}, out = {x + side * 0.45f * near, -0.25f + 0.11f * brow};
        curve(in, out, -0.02f, p->brow[k]);
        hs_point a = {ex - 0.13f, y + 0.19f}, b = {ex + 0.13f, y + 0.19f};
        curve(a, b, 0.05f, p->bag[k]);
    }
    hs_point n0 = {x, 0.10f}, n1 = {x + 0.09f * yaw, 0.31f};
    p->nose[0] = n0;
    p->nose[1] = (hs_point){n1.x + 0.02f * (yaw < 0 ? -1 : 1), 0.27f};
    p->nose[2] = n1;
    p->nose[3] = (hs_point){n1.x - 0.07f * (yaw < 0 ? -1 : 1), 0.32f};
    for (int k = 0; k < 2; k++) {
        float fy = -0.36f + 0.09f * (float)k;
        hs_point a = {on_face(p, x - 0.30f, 0.80f), fy}, b = {on_face(p, x + 0.30f, 0.80f), fy};
        curve(a, b, -0.03f, p->forehead[k]);
    }
}

static void set_hat(float yaw, hs_face_parts *p)
{
    float x = 0.02f * yaw;
    for (int i = 0; i < HS_FACE_HAT; i++) {
        float a = pi * (1 + (float)i / (HS_FACE_HAT - 1));
        p->crown[i] = (hs_point){x + 0.60f * cosf(a), -0.60f + 0.46f * sinf(a)};
    }
    p->brim[0] = (hs_point){x - 0.74f, -0.60f};
    p->brim[1] = (hs_point){x + 0.74f, -0.60f};
}

void hs_face_parts_of(const double *f, hs_face_parts *p)
{
    float yaw = (float)f[HS_F_YAW];
    set_head(yaw, (float)f[HS_F_FACE_WIDTH], p);
    set_hair(yaw, (float)f[HS_F_HAIR_LENGTH], p);
    set_fringe(yaw, p);
    set_mouth((float)f[HS_F_SMILE], (float)f[HS_F_MOUTH_OPEN], yaw, p);
    set_eyes(f, p);
    set_hat(yaw, p);
}
