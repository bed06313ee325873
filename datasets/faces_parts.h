/* What both styles draw: a face's factors by name and its outlines, the same in every style. */
#ifndef HS_DATASETS_FACES_PARTS_H
#define HS_DATASETS_FACES_PARTS_H

#include "datasets/faces_draw.h"

/* The order of the factors everywhere. */
enum {
    HS_F_SMILE,
    HS_F_MOUTH_OPEN,
    HS_F_EYE_OPEN,
    HS_F_BROW,
    HS_F_FACE_WIDTH,
    HS_F_AGE,
    HS_F_SKIN,
    HS_F_HAIR_LENGTH,
    HS_F_HAIR_HUE,
    HS_F_BEARD,
    HS_F_GLASSES,
    HS_F_HAT,
    HS_F_YAW,
    HS_F_LIGHT,
    HS_F_BACKGROUND,
    HS_F_COUNT
};

enum {
    HS_FACE_RING = 32,   /* points of the head */
    HS_FACE_CURVE = 9,   /* points of a short curve */
    HS_FACE_HAIR = 30,   /* points of the hair behind the head */
    HS_FACE_FRINGE = 17, /* points of each edge of the fringe */
    HS_FACE_BEARD = 22,  /* points of the beard */
    HS_FACE_HAT = 12     /* points of the hat's crown */
};

typedef struct {
    hs_point head[HS_FACE_RING];
    hs_point hair[HS_FACE_HAIR];         /* behind the head */
    hs_point fringe[2 * HS_FACE_FRINGE]; /* on the forehead */
    hs_point beard[HS_FACE_BEARD];
    hs_point upper[HS_FACE_CURVE], lower[HS_FACE_CURVE]; /* lips, left to right */
    hs_point mouth[2 * HS_FACE_CURVE];                   /* both, as a polygon */
    hs_point brow[2][HS_FACE_CURVE];
    hs_point eye[2];
    float eye_rx[2], eye_ry;
    hs_point pupil[2];
    float pupil_r;
    hs_point lens[2];
    float lens_rx[2], lens_ry;
    hs_point cheek[2];
    hs_point ear[2];
    hs_point nose[4];                                                                   /* bridge to tip to wing */
    hs_point fold[2][HS_FACE_CURVE], bag[2][HS_FACE_CURVE], forehead[2][HS_FACE_CURVE]; /* wrinkles */
    hs_point crown[HS_FACE_HAT], brim[2];
    float head_x, head_rx; /* centre and half width of the head */
} hs_face_parts;

void hs_face_parts_of(const double *factor, hs_face_parts *p);

/* rgb <- hue (turns), saturation, value. */
void hs_face_hsv(float hue, float saturation, float value, float *rgb);
/* out <- a + w (b - a). */
void hs_face_mix(const float *a, const float *b, float w, float *out);

/* The styles.  factor within its range, 8 <= c->size <= HS_DRAW_SIDE. */
void hs_face_paint(hs_canvas *c, const double *factor, const hs_face_parts *p);
void hs_face_lines(hs_canvas *c, const double *factor, const hs_face_parts *p);

#endif
