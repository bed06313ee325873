/* Models that ship, by name, and the attribute network and CLIP that a command uses.
 *
 * They lie in DATA/models/NAME, DATA being $HSPACE_DATADIR, else datasets/ of the tree the program was built in, else
 * share/hspace beside the folder that the program is installed in. */
#ifndef HS_CLI_SHIPPED_H
#define HS_CLI_SHIPPED_H

#include "analysis/cli/command.h"
#include "analysis/sweep/clip_reader.h"
#include "analysis/sweep/scorer.h"

enum { HS_SHIPPED_PATH = 4096 };

/* True, and path <- the folder, when name is a plain name, nothing is called so here, and such a model ships. */
int hs_shipped(const char *name, char path[HS_SHIPPED_PATH]);
/* What the user's name comes to: the folder of a shipped model (in path), or the name itself. */
const char *hs_shipped_or(const char *name, char path[HS_SHIPPED_PATH]);

/* The row --attr of an option table. */
#define HS_OPT_ATTR                                                                            \
    {                                                                                          \
        "attr", 0, HS_OPT_STR, "faces-attr", 0, 0, NULL, "DIR", "Model",                       \
            "attribute network of attr:NAME and feat: a folder, or the name of one that ships" \
    }

/* *out <- the attribute network of --attr, or the one that another option names; records its files.  HS_EIO: not
 * there; else as hs_scorer_open. */
HS_CHECKED int hs_common_scorer(hs_cmd *c, hs_conv_mode conv, hs_scorer **out);
HS_CHECKED int hs_common_scorer_named(hs_cmd *c, const char *option, const char *name, hs_conv_mode conv,
                                      hs_scorer **out);

/* The row --NAME of an option table. */
#define HS_OPT_CLIP(NAME)                                                                 \
    {                                                                                     \
        NAME, 0, HS_OPT_STR, "faces-clip", 0, 0, NULL, "DIR", "Model",                    \
            "CLIP that reads texts: a Hugging Face folder, or the name of one that ships" \
    }
/* *out <- the CLIP of that option; records its files.  HS_EIO: not there; else as hs_clip_open. */
HS_CHECKED int hs_common_clip(hs_cmd *c, const char *option, hs_clip_reader **out);

#endif
