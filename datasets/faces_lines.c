/* Style "lines": ink on pale washes; light is hatching on the side away from it. */
#include <math.h>

#include "datasets/faces_parts.h"

static const float ink_rgb[3] = {0.10f, 0.12f, 0.22f};

enum { HATCHES = 9 };

static hs_ink wash(const float *rgb, float alpha)
{
    return (hs_ink){.rgb = {rgb[0], rgb[1], rgb[2]}, .alpha = alpha};
}

static hs_ink pen(float alpha)
{
    return wash(ink_rgb, alpha);
}

static void draw_paper(hs_canvas *c, const double *f)
{
    float top[3], bottom[3], hue = 0.52f + 0.50f * (float)f[HS_F_BACKGROUND];
    hs_face_hsv(hue, 0.30f, 1, top);
    hs_face_hsv(hue, 0.42f, 0.94f, bottom);
    hs_draw_ground(c, top, bottom);
}

/* Teal through green to amber; grey leaves some of it. */
static void hair_colour(const double *f, float *rgb)
{
    static const float grey[3] = {0.93f, 0.93f, 0.93f};
    float pure[3];
    hs_face_hsv(0.50f - 0.42f * (float)f[HS_F_HAIR_HUE], 0.80f, 0.82f, pure);
    hs_face_mix(pure, grey, 0.62f * (float)f[HS_F_AGE], rgb);
}

static void skin_colour(const double *f, float *rgb)
{
    static const float fair[3] = {1, 0.97f, 0.93f}, deep[3] = {0.62f, 0.47f, 0.44f};
    hs_face_mix(fair, deep, (float)f[HS_F_SKIN], rgb);
}

/* Slanted strokes over the side of the face that the light does not reach. */
static void draw_hatching(hs_canvas *c, const double *f, const hs_face_parts *p)
{
    float light = (float)f[HS_F_LIGHT];
    for (int side = -1; side <= 1; side += 2) {
        float dark = 0.5f - 0.5f * light * (float)side;
        hs_ink stroke = pen(0.95f * dark);
        for (int i = 0; i < HATCHES; i++) {
            float y = -0.26f + 0.105f * (float)i, v = (y - 0.08f) / 0.80f, edge = sqrtf(1 - v * v);
            hs_point line[2] = {{p->head_x + (float)side * p->head_rx * edge * 0.97f, y - 0.05f},
                                {p->head_x + (float)side * p->head_rx * edge * 0.60f, y + 0.05f}};
            hs_draw_line(c, line, 2, 0.042f, &stroke);
        }
        hs_point back[2] = {{(float)side * 0.74f, -0.26f}, {(float)side * 0.62f, -0.55f}};
        hs_draw_line(c, back, 2, 0.08f, &stroke);
    }
}

static void draw_head(hs_canvas *c, const float *hair, const float *skin, const hs_face_parts *p)
{
    hs_ink back = wash(hair, 1), face = wash(skin, 1), line = pen(1);
    hs_draw_polygon(c, p->hair, HS_FACE_HAIR, &back);
    hs_draw_outline(c, p->hair, HS_FACE_HAIR, 0.045f, &line);
    for (int k = 0; k < 2; k++) {
        hs_draw_ellipse(c, p->ear[k], 0.10f, 0.14f, &line);
        hs_draw_ellipse(c, p->ear[k], 0.07f, 0.11f, &face);
    }
    hs_draw_polygon(c, p->head, HS_FACE_RING, &face);
    hs_draw_outline(c, p->head, HS_FACE_RING, 0.045f, &line);
}

/* A wash of the hair's colour and a row of bristles along the jaw. */
static void draw_beard(hs_canvas *c, const float *hair, const hs_face_parts *p)
{
    static const float umber[3] = {0.28f, 0.22f, 0.20f};
    float rgb[3];
    hs_face_mix(hair, umber, 0.45f, rgb);
    hs_ink cover = wash(rgb, 1), line = pen(0.8f);
    hs_draw_polygon(c, p->beard, HS_FACE_BEARD, &cover);
    for (int i = 1; i < 12; i++) {
        hs_point tip = p->beard[i], root = {tip.x + 0.12f * (p->head_x - tip.x), tip.y - 0.14f};
        hs_point bristle[2] = {root, tip};
        hs_draw_line(c, bristle, 2, 0.025f, &line);
    }
}

static void draw_wrinkles(hs_canvas *c, const double *f, const hs_face_parts *p)
{
    hs_ink line = pen((float)f[HS_F_AGE]);
    for (int k = 0; k < 2; k++) {
        hs_draw_line(c, p->fold[k], HS_FACE_CURVE, 0.030f, &line);
        hs_draw_line(c, p->bag[k], HS_FACE_CURVE, 0.030f, &line);
        hs_draw_line(c, p->forehead[k], HS_FACE_CURVE, 0.025f, &line);
    }
}

/* Round spots that darken with the smile. */
static void draw_cheeks(hs_canvas *c, const double *f, const hs_face_parts *p)
{
    static const float coral[3] = {1, 0.45f, 0.35f};
    hs_ink spot = wash(coral, 0.45f * ((float)f[HS_F_SMILE] + 1));
    for (int k = 0; k < 2; k++) {
        hs_draw_ellipse(c, p->cheek[k], 0.14f, 0.12f, &spot);
    }
}

static void draw_fringe(hs_canvas *c, const float *hair, const hs_face_parts *p)
{
    hs_ink cover = wash(hair, 1), line = pen(1), strand = pen(0.45f);
    hs_draw_polygon(c, p->fringe, (size_t)2 * HS_FACE_FRINGE, &cover);
    hs_draw_line(c, p->fringe + HS_FACE_FRINGE, HS_FACE_FRINGE, 0.040f, &line);
    for (int i = 3; i < HS_FACE_FRINGE - 3; i += 2) {
        hs_point root = p->fringe[i], end = p->fringe[2 * HS_FACE_FRINGE - 1 - i];
        hs_point lock[2] = {{0.5f * (root.x + end.x), 0.6f * root.y + 0.4f * end.y}, end};
        hs_draw_line(c, lock, 2, 0.020f, &strand);
    }
}

static void draw_eyes(hs_canvas *c, const hs_face_parts *p)
{
    static const float white[3] = {1, 1, 1};
    hs_ink ball = wash(white, 1), line = pen(1);
    for (int k = 0; k < 2; k++) {
        float r = p->pupil_r < p->eye_ry ? p->pupil_r : p->eye_ry;
        hs_draw_ellipse(c, p->eye[k], p->eye_rx[k] + 0.030f, p->eye_ry + 0.030f, &line);
        hs_draw_ellipse(c, p->eye[k], p->eye_rx[k], p->eye_ry, &ball);
        hs_draw_ellipse(c, p->pupil[k], 0.8f * p->pupil_r, 0.8f * r, &line);
        hs_draw_line(c, p->brow[k], HS_FACE_CURVE, 0.085f, &line);
    }
}

static void draw_mouth(hs_canvas *c, const float *skin, const hs_face_parts *p)
{
    static const float inside[3] = {0.85f, 0.25f, 0.25f};
    hs_ink bare = wash(skin, 1), red = wash(inside, 1), line = pen(1);
    hs_draw_outline(c, p->mouth, (size_t)2 * HS_FACE_CURVE, 0.12f, &bare);
    hs_draw_polygon(c, p->mouth, (size_t)2 * HS_FACE_CURVE, &red);
    hs_draw_outline(c, p->mouth, (size_t)2 * HS_FACE_CURVE, 0.055f, &line);
}

/* Square frames. */
static void draw_glasses(hs_canvas *c, const hs_face_parts *p)
{
    static const float frame[3] = {0.75f, 0.10f, 0.15f};
    hs_ink rim = wash(frame, 1);
    for (int k = 0; k < 2; k++) {
        float x = p->lens[k].x, y = p->lens[k].y, w = p->lens_rx[k], h = p->lens_ry;
        hs_point square[4] = {{x - w, y - h}, {x + w, y - h}, {x + w, y + h}, {x - w, y + h}};
        hs_point arm[2] = {{x + (k == 0 ? -w : w), y}, {p->ear[k].x, y}};
        hs_draw_outline(c, square, 4, 0.065f, &rim);
        hs_draw_line(c, arm, 2, 0.055f, &rim);
    }
    hs_point bridge[2] = {{p->lens[0].x + p->lens_rx[0], p->lens[0].y}, {p->lens[1].x - p->lens_rx[1], p->lens[1].y}};
    hs_draw_line(c, bridge, 2, 0.055f, &rim);
}

static void draw_hat(hs_canvas *c, const hs_face_parts *p)
{
    static const float straw[3] = {0.98f, 0.90f, 0.55f};
    hs_ink cover = wash(straw, 1), line = pen(1);
    hs_draw_polygon(c, p->crown, HS_FACE_HAT, &cover);
    hs_draw_outline(c, p->crown, HS_FACE_HAT, 0.045f, &line);
    hs_draw_line(c, p->brim, 2, 0.15f, &line);
    hs_draw_line(c, p->brim, 2, 0.07f, &cover);
}

void hs_face_lines(hs_canvas *c, const double *f, const hs_face_parts *p)
{
    float hair[3], skin[3];
    hs_ink line = pen(1);
    hair_colour(f, hair);
    skin_colour(f, skin);
    draw_paper(c, f);
    draw_head(c, hair, skin, p);
    draw_hatching(c, f, p);
    if (f[HS_F_BEARD] >= 0.5) {
        draw_beard(c, hair, p);
    }
    draw_cheeks(c, f, p);
    draw_wrinkles(c, f, p);
    draw_fringe(c, hair, p);
    hs_draw_line(c, p->nose, 4, 0.035f, &line);
    draw_eyes(c, p);
    draw_mouth(c, skin, p);
    if (f[HS_F_GLASSES] >= 0.5) {
        draw_glasses(c, p);
    }
    if (f[HS_F_HAT] >= 0.5) {
        draw_hat(c, p);
    }
}
