#include "analysis/figures/palette.h"

#include <stdio.h>

/* 16 colours chosen in CIELAB: lightness from 15 to 91 in equal steps, hue from violet to yellow. */
enum { STEPS = 16 };
static const unsigned char seq[STEPS][3] = {
    {0x29, 0x1b, 0x55}, {0x16, 0x2d, 0x68}, {0x00, 0x3c, 0x70}, {0x02, 0x4b, 0x75},
    {0x05, 0x59, 0x7b}, {0x06, 0x67, 0x83}, {0x03, 0x76, 0x8a}, {0x06, 0x85, 0x90},
    {0x02, 0x94, 0x94}, {0x05, 0xa4, 0x93}, {0x03, 0xb5, 0x8c}, {0x02, 0xc6, 0x77},
    {0x55, 0xd3, 0x5e}, {0x93, 0xdd, 0x50}, {0xc6, 0xe4, 0x49}, {0xf6, 0xe9, 0x4c}};

void hs_palette_sequential(double x, char hex[8])
{
    double at = (x < 0 ? 0 : x > 1 ? 1 : x) * (STEPS - 1);
    int i = at >= STEPS - 1 ? STEPS - 2 : (int)at, v[3];
    for (int k = 0; k < 3; k++) {
        v[k] = (int)(seq[i][k] + (at - i) * (seq[i + 1][k] - seq[i][k]) + 0.5);
    }
    snprintf(hex, 8, "#%02X%02X%02X", (unsigned)v[0] & 255, (unsigned)v[1] & 255, (unsigned)v[2] & 255);
}

void hs_palette_set(hs_str *gp, int is_signed)
{
    if (is_signed) {
        hs_str_add(gp,
                   "set palette defined (0 '#0B3C6F', 0.25 '#5B93C7', 0.5 '#F7F7F7', 0.75 '#DE7A62', 1 '#7A1022')\n");
        return;
    }
    hs_str_add(gp, "set palette defined (");
    for (int i = 0; i < STEPS; i++) {
        hs_str_addf(gp, "%s%d '#%02X%02X%02X'", i > 0 ? ", " : "", i, seq[i][0], seq[i][1], seq[i][2]);
    }
    hs_str_add(gp, ")\n");
}
