/* Figures: a gnuplot script and its data, and the picture that gnuplot makes of them.
 *
 * OUT.pdf, OUT.svg or OUT.png always comes with OUT.gp (the script, which can be edited and run
 * again: gnuplot OUT.gp) and OUT.dat (every number in the picture).  Where gnuplot is missing the
 * pair is still written and the caller is told (drawn = 0).
 *
 * Look: 3.25 in or 6.75 in wide, 8 pt sans, Okabe-Ito colours each with its own dash and point
 * shape (readable in grey), bands in opaque tints drawn first.  No text of a file reaches gnuplot
 * but inside a quoted string, without markup. */
#ifndef HS_FIGURES_FIGURE_H
#define HS_FIGURES_FIGURE_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/base/text.h"

typedef struct {
    const char *out;  /* FILE.pdf, .svg or .png */
    double width;     /* inches, 2 to 20; 0: what suits the figure (3.25 or 6.75) */
    const char *mark; /* a word stamped on the picture ("untrained"), NULL: none */
    int force;        /* replace existing files */
} hs_figure_options;

/* One figure being built.  Between begin and finish nothing is written. */
typedef struct {
    const hs_figure_options *opt;
    char *dir, *stem;     /* folder and base name without the extension */
    const char *format;   /* "pdf", "svg" or "png" */
    double width, height; /* inches */
    hs_str gp, dat;
    size_t blocks;
    /* the panel grid */
    size_t cols, panels, at; /* at: the panel begun last */
    double left, right, top, bottom, panel_w, panel_h, gap_x, gap_y, caption_h;
} hs_figure;

/* A grid of panels, inches; each panel is the box inside the axes. */
typedef struct {
    size_t n, cols;
    double panel_h;
    double left, right;  /* of the figure: room for the axis text */
    double top, bottom;  /* the same, without the caption */
    double gap_x, gap_y; /* between the boxes of neighbours */
} hs_figure_grid;

enum { HS_FIGURE_COLOURS = 7 };
extern const char *const hs_figure_colour[HS_FIGURE_COLOURS]; /* "#0072B2", ...: lines */
extern const char *const hs_figure_tint[HS_FIGURE_COLOURS];   /* their bands */
#define HS_FIGURE_NULL_TINT "#E2E2E2"

/* Lays out the page: the grid, then the caption (wrapped to the width) under it.  width: inches
 * when opt->width is 0.  HS_ERANGE: extension, width, or a control character in the name;
 * HS_ENOMEM.  *fig needs hs_figure_free in any case. */
HS_CHECKED int hs_figure_begin(const hs_figure_options *opt, double width, const hs_figure_grid *grid,
                               const char *caption, hs_figure *fig);

/* Appends rows x cols numbers to the data, column j from column[j] (NULL: nan); head names the columns.
 * Returns the index of the block, for hs_figure_using. */
size_t hs_figure_block(hs_figure *fig, const char *head, size_t rows, size_t cols, const double *const *column);

/* Begins panel i: margins and title lines (NULL: none), cut to the panel's width. */
void hs_figure_panel(hs_figure *fig, size_t i, const char *title, const char *subtitle);

/* The axes of the panel just begun: x from lo to hi with 4 % air, round ticks that don't touch, and
 * its name; the name of y stands once per row, at the left edge.  NULL: no name. */
void hs_figure_x_axis(hs_figure *fig, double lo, double hi, const char *name);
void hs_figure_y_name(hs_figure *fig, size_t panel, const char *name);

/* One line of samples and labels at the top of the page; style[i] as gnuplot's words ("lt 1", NULL:
 * linetype i + 1).  Our own, since gnuplot's keys come out differently by terminal.  Call it after the
 * first hs_figure_panel. */
void hs_figure_legend(hs_figure *fig, size_t n, const char *const *label, const char *const *style);

/* Appends "text" as a gnuplot string; control characters and broken UTF-8 are shown as \xHH,
 * the rest beyond 1 kB is cut. */
void hs_figure_quote(hs_figure *fig, const char *text);
/* The same, cut with an ellipsis to what fits in so many inches at pt points. */
void hs_figure_quote_fit(hs_figure *fig, const char *text, double inches, double pt);
/* Appends " DATA index BLOCK using COLUMNS ", to follow "plot" or a comma. */
void hs_figure_using(hs_figure *fig, size_t block, const char *columns);

/* Writes the pair and runs gnuplot; *drawn <- 1, or 0 where gnuplot is missing.
 * HS_ERANGE: a file exists and force is 0; HS_EIO: a write, or gnuplot failed (its first line is
 * in the message; the pair stays); HS_ENOMEM. */
HS_CHECKED int hs_figure_finish(hs_figure *fig, int *drawn);
void hs_figure_free(hs_figure *fig);

#endif
