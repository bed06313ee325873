/* One HTML page that needs nothing else: no JavaScript, no links out, figures as inline SVG, images
 * as data URIs; readable on paper.  A Content-Security-Policy forbids everything else, and every
 * text is escaped: a page made from a stranger's file shows what it says and runs nothing. */
#ifndef HS_REPORT_PAGE_H
#define HS_REPORT_PAGE_H

#include <stddef.h>

#include "core/base/error.h"

typedef struct hs_page hs_page;

/* *out <- an empty page.  lead: a sentence under the title (NULL: none).  mark: a word stamped on
 * every picture and beside the title ("untrained"), NULL: none.  HS_ENOMEM. */
HS_CHECKED int hs_page_begin(const char *title, const char *lead, const char *mark, hs_page **out);
void hs_page_free(hs_page *p);

/* Appended in order; a failed allocation shows at commit. */
void hs_page_section(hs_page *p, const char *heading);
void hs_page_text(hs_page *p, const char *text); /* one paragraph */
void hs_page_code(hs_page *p, const char *text); /* lines as they are */

/* Keys and values, one pair a row.  A value NULL leaves its row out. */
typedef struct {
    const char *key, *value;
} hs_page_pair;
void hs_page_pairs(hs_page *p, size_t n, const hs_page_pair *pair);

/* Verdicts side by side: what was asked, the answer, its number, and why.  tone: how the answer is coloured. */
typedef enum { HS_TONE_GOOD, HS_TONE_BAD, HS_TONE_OPEN } hs_tone;
typedef struct {
    const char *title, *answer, *number, *text;
    hs_tone tone;
} hs_page_card;
void hs_page_cards(hs_page *p, size_t n, const hs_page_card *card);
void hs_page_subsection(hs_page *p, const char *heading);

/* A table: head (cols), cells (rows, cols).  Cells that are numbers stand to the right. */
void hs_page_table(hs_page *p, size_t cols, const char *const *head, size_t rows, const char *const *cell);

/* A figure from gnuplot's SVG; its ids are made unique on the page.  The mark is the figure's own
 * business (hs_figure_options.mark).  HS_EFORMAT: not an SVG, or one with a script or a link out;
 * HS_ELIMIT: above 16 MiB; HS_EIO. */
HS_CHECKED int hs_page_svg(hs_page *p, const char *path, const char *alt, const char *caption);

/* An image, stamped with the page's mark.  Decoded first: HS_EFORMAT, HS_ELIMIT, HS_EIO. */
HS_CHECKED int hs_page_png(hs_page *p, const char *path, const char *alt, const char *caption);

/* Writes the page, complete or not at all.  HS_ERANGE: exists and force is 0; HS_EIO, HS_ENOMEM. */
HS_CHECKED int hs_page_commit(hs_page *p, const char *path, int force);

#endif
