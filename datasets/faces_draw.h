/* Antialiased drawing by signed distance, for the faces: each pixel's coverage is
 * clamp(1/2 - d / (2 soft), 0, 1), d the distance of its centre to the shape's edge (negative inside), soft at least
 * half a pixel.  The picture is the square [-1, 1] x [-1, 1], y down, whatever its resolution; colours are 0 ... 1
 * while drawing.  A shape costs O(pixels of its bounding box x edges). */
#ifndef HS_DATASETS_FACES_DRAW_H
#define HS_DATASETS_FACES_DRAW_H

#include <stddef.h>

enum { HS_DRAW_SIDE = 1024 }; /* largest picture */

typedef struct {
    float x, y;
} hs_point;

typedef struct {
    float *rgb; /* (3, size, size) */
    size_t size;
    float px; /* side of a pixel: 2 / size */
} hs_canvas;

/* What a shape is filled with: rgb (1 + slope (x - x0)), laid over with opacity alpha. */
typedef struct {
    float rgb[3], alpha;
    float slope, x0;
    float soft; /* half the width of the edge; below half a pixel: half a pixel */
} hs_ink;

/* The whole picture, from top to bottom. */
void hs_draw_ground(hs_canvas *c, const float *top, const float *bottom);
void hs_draw_ellipse(hs_canvas *c, hs_point centre, float rx, float ry, const hs_ink *ink);
/* The inside (even-odd) of the closed polygon p (n >= 3). */
void hs_draw_polygon(hs_canvas *c, const hs_point *p, size_t n, const hs_ink *ink);
/* The open line p (n >= 2) with round ends; thinner than a pixel it fades instead. */
void hs_draw_line(hs_canvas *c, const hs_point *p, size_t n, float width, const hs_ink *ink);
/* The same, closed. */
void hs_draw_outline(hs_canvas *c, const hs_point *p, size_t n, float width, const hs_ink *ink);
/* 0 ... 1 to -1 ... 1, clamped. */
void hs_draw_finish(hs_canvas *c);

#endif
