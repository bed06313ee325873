/* Style "paint": flat colours, light from a side, soft cheeks. */
#include "datasets/faces_parts.h"

typedef struct {
    float skin[3], shadow[3], hair[3], dark[3], brow[3]; /* dark: the beard */
    float slope, x0;                                     /* of the light */
    float age;
} palette;

static hs_ink ink_of(const float *rgb, float alpha)
{
    return (hs_ink){.rgb = {rgb[0], rgb[1], rgb[2]}, .alpha = alpha};
}

static hs_ink lit(const palette *q, const float *rgb, float alpha)
{
    hs_ink ink = ink_of(rgb, alpha);
    ink.slope = q->slope;
    ink.x0 = q->x0;
    return ink;
}

static void mix_palette(const double *f, palette *q)
{
    static const float fair[3] = {1, 0.86f, 0.74f}, deep[3] = {0.40f, 0.23f, 0.15f}, grey[3] = {0.90f, 0.92f, 0.98f},
                       black[3] = {0.10f, 0.05f, 0.08f};
    float pure[3];
    q->age = (float)f[HS_F_AGE];
    hs_face_mix(fair, deep, (float)f[HS_F_SKIN], q->skin);
    hs_face_mix(q->skin, black, 0.45f, q->shadow);
    /* From gold over red to violet: an arc, so that the hue is a linear factor. */
    hs_face_hsv(1.13f - 0.42f * (float)f[HS_F_HAIR_HUE], 0.88f, 0.70f, pure);
    hs_face_mix(pure, grey, 0.60f * q->age, q->hair);
    hs_face_mix(q->hair, black, 0.50f, q->dark);
    hs_face_mix(q->hair, black, 0.72f, q->brow);
    q->slope = 0.62f * (float)f[HS_F_LIGHT];
    q->x0 = 0;
}

static void draw_ground(hs_canvas *c, const double *f)
{
    float top[3], bottom[3], hue = 0.12f + 0.53f * (float)f[HS_F_BACKGROUND];
    hs_face_hsv(hue, 0.55f, 1, top);
    hs_face_hsv(hue, 0.75f, 0.75f, bottom);
    hs_draw_ground(c, top, bottom);
}

static void draw_head(hs_canvas *c, const palette *q, const hs_face_parts *p)
{
    hs_ink hair = lit(q, q->hair, 1), skin = lit(q, q->skin, 1), edge = lit(q, q->shadow, 0.55f);
    hs_draw_polygon(c, p->hair, HS_FACE_HAIR, &hair);
    for (int k = 0; k < 2; k++) {
        hs_draw_ellipse(c, p->ear[k], 0.09f, 0.13f, &skin);
    }
    hs_draw_polygon(c, p->head, HS_FACE_RING, &skin);
    hs_draw_outline(c, p->head, HS_FACE_RING, 0.035f, &edge);
}

static void draw_wrinkles(hs_canvas *c, const palette *q, const hs_face_parts *p)
{
    hs_ink crease = lit(q, q->shadow, 0.85f * q->age);
    for (int k = 0; k < 2; k++) {
        hs_draw_line(c, p->fold[k], HS_FACE_CURVE, 0.05f, &crease);
        hs_draw_line(c, p->bag[k], HS_FACE_CURVE, 0.04f, &crease);
        hs_draw_line(c, p->forehead[k], HS_FACE_CURVE, 0.03f, &crease);
    }
}

static void draw_cheeks(hs_canvas *c, const double *f, const hs_face_parts *p)
{
    static const float rose[3] = {0.96f, 0.30f, 0.34f};
    hs_ink blush = ink_of(rose, 0.46f * ((float)f[HS_F_SMILE] + 1));
    blush.soft = 0.10f;
    for (int k = 0; k < 2; k++) {
        hs_draw_ellipse(c, p->cheek[k], 0.16f, 0.14f, &blush);
    }
}

static void draw_mouth(hs_canvas *c, const double *f, const palette *q, const hs_face_parts *p)
{
    static const float lip[3] = {0.78f, 0.08f, 0.17f}, inside[3] = {0.26f, 0.04f, 0.08f}, white[3] = {1, 0.98f, 0.95f},
                       rose[3] = {0.95f, 0.45f, 0.48f};
    float open = (float)f[HS_F_MOUTH_OPEN];
    hs_ink red = ink_of(lip, 1), dark = ink_of(inside, 1), teeth = ink_of(white, 0.95f), tongue = ink_of(rose, 0.9f),
           skin = lit(q, q->skin, 1);
    hs_point strip[HS_FACE_CURVE], low[HS_FACE_CURVE];
    /* Bare skin around the lips, or a beard would swallow them. */
    hs_draw_outline(c, p->mouth, (size_t)2 * HS_FACE_CURVE, 0.13f, &skin);
    hs_draw_polygon(c, p->mouth, (size_t)2 * HS_FACE_CURVE, &dark);
    for (int i = 0; i < HS_FACE_CURVE; i++) {
        strip[i] = (hs_point){p->upper[i].x, p->upper[i].y * 0.75f + p->lower[i].y * 0.25f};
        low[i] = (hs_point){p->upper[i].x, p->upper[i].y * 0.25f + p->lower[i].y * 0.75f};
    }
    hs_draw_line(c, strip + 1, HS_FACE_CURVE - 2, 0.10f * open, &teeth);
    hs_draw_line(c, low + 3, HS_FACE_CURVE - 6, 0.10f * open, &tongue);
    hs_draw_outline(c, p->mouth, (size_t)2 * HS_FACE_CURVE, 0.062f, &red);
}

static void draw_eyes(hs_canvas *c, const palette *q, const hs_face_parts *p)
{
    static const float white[3] = {1, 1, 1}, iris[3] = {0.12f, 0.08f, 0.12f};
    hs_ink ball = ink_of(white, 1), pupil = ink_of(iris, 1), lid = lit(q, q->shadow, 0.9f), brow = ink_of(q->brow, 1);
    for (int k = 0; k < 2; k++) {
        float r = p->pupil_r < p->eye_ry ? p->pupil_r : p->eye_ry, rx = p->pupil_r;
        hs_draw_ellipse(c, p->eye[k], p->eye_rx[k] + 0.025f, p->eye_ry + 0.025f, &lid);
        hs_draw_ellipse(c, p->eye[k], p->eye_rx[k], p->eye_ry, &ball);
        hs_draw_ellipse(c, p->pupil[k], rx, r, &pupil);
        hs_draw_ellipse(c, (hs_point){p->pupil[k].x - 0.03f, p->pupil[k].y - 0.35f * r}, 0.034f, 0.4f * r, &ball);
        hs_draw_line(c, p->brow[k], HS_FACE_CURVE, 0.11f, &brow);
    }
}

static void draw_glasses(hs_canvas *c, const hs_face_parts *p)
{
    static const float frame[3] = {0.07f, 0.10f, 0.30f}, glass[3] = {0.75f, 0.92f, 1};
    hs_ink rim = ink_of(frame, 1), tint = ink_of(glass, 0.25f);
    for (int k = 0; k < 2; k++) {
        hs_point ring[HS_FACE_RING], arm[2] = {p->ear[k], p->lens[k]};
        for (int i = 0; i < HS_FACE_RING; i++) {
            ring[i].x = p->lens[k].x + (p->head[i].x - p->head_x) / p->head_rx * p->lens_rx[k];
            ring[i].y = p->lens[k].y + (p->head[i].y - 0.12f) / 0.77f * p->lens_ry;
        }
        arm[0].y = arm[1].y = p->lens[k].y;
        arm[1].x += (k == 0 ? -1 : 1) * p->lens_rx[k];
        hs_draw_line(c, arm, 2, 0.055f, &rim);
        hs_draw_polygon(c, ring, HS_FACE_RING, &tint);
        hs_draw_outline(c, ring, HS_FACE_RING, 0.06f, &rim);
    }
    hs_point bridge[2] = {{p->lens[0].x + p->lens_rx[0], p->lens[0].y}, {p->lens[1].x - p->lens_rx[1], p->lens[1].y}};
    hs_draw_line(c, bridge, 2, 0.055f, &rim);
}

static void draw_hat(hs_canvas *c, const palette *q, const hs_face_parts *p)
{
    static const float felt[3] = {0.16f, 0.42f, 0.50f}, band[3] = {0.98f, 0.86f, 0.35f};
    hs_ink crown = lit(q, felt, 1), ribbon = lit(q, band, 1);
    hs_point low[2] = {{p->brim[0].x + 0.16f, -0.68f}, {p->brim[1].x - 0.16f, -0.68f}};
    hs_draw_polygon(c, p->crown, HS_FACE_HAT, &crown);
    hs_draw_line(c, low, 2, 0.09f, &ribbon);
    hs_draw_line(c, p->brim, 2, 0.11f, &crown);
}

void hs_face_paint(hs_canvas *c, const double *f, const hs_face_parts *p)
{
    palette q;
    mix_palette(f, &q);
    hs_ink hair = lit(&q, q.hair, 1), beard = lit(&q, q.dark, 1), nose = lit(&q, q.shadow, 0.8f),
           hairline = lit(&q, q.dark, 0.6f);
    draw_ground(c, f);
    draw_head(c, &q, p);
    if (f[HS_F_BEARD] >= 0.5) {
        hs_draw_polygon(c, p->beard, HS_FACE_BEARD, &beard);
    }
    draw_cheeks(c, f, p);
    draw_wrinkles(c, &q, p);
    hs_draw_polygon(c, p->fringe, (size_t)2 * HS_FACE_FRINGE, &hair);
    hs_draw_line(c, p->fringe + HS_FACE_FRINGE, HS_FACE_FRINGE, 0.03f, &hairline);
    hs_draw_line(c, p->nose + 1, 3, 0.06f, &nose);
    draw_eyes(c, &q, p);
    draw_mouth(c, f, &q, p);
    if (f[HS_F_GLASSES] >= 0.5) {
        draw_glasses(c, p);
    }
    if (f[HS_F_HAT] >= 0.5) {
        draw_hat(c, &q, p);
    }
}
