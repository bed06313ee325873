/* Help screens, all from the tables: usage, purpose, examples first, options by group. */
#include <string.h>

#include "analysis/cli/internal.h"

const hs_opt *hs_command_opt(const hs_command *def, size_t i)
{
    for (size_t t = 0; def->options != NULL && def->options[t] != NULL; t++) {
        for (const hs_opt *o = def->options[t]; o->name != NULL; o++, i--) {
            if (i == 0) {
                return o;
            }
        }
    }
    for (const hs_opt *o = hs_opts_run; o->name != NULL; o++, i--) {
        if (i == 0) {
            return o;
        }
    }
    return NULL;
}

const char *hs_help_nearest(const char *word, const char *const *candidate, size_t n)
{
    size_t best = strlen(word) / 3 + 2; /* this many edits are no longer a typo */
    const char *near = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t d = hs_text_distance(word, candidate[i]);
        if (d < best) {
            best = d;
            near = candidate[i];
        }
    }
    return near;
}

static const char overview_head[] =
    "Usage: hspace COMMAND [options] INPUT... [-o OUT]\n"
    "\n"
    "Find, apply and measure directions in the h-space of diffusion U-Nets.\n"
    "\n"
    "Examples:\n"
    "  hspace info --archs\n"
    "  hspace sample --model random:tiny -N 4 --steps 10 -o samples.png\n"
    "  hspace dump --model random:tiny -N 64 --steps 10 -o acts.h5 && hspace pca acts.h5 -o pca.h5\n"
    "\n";

static void add_exit_codes(hs_str *out)
{
    hs_str_add(out,
               "\nExit codes: 0 done; 1 our bug; 2 usage or inputs that don't fit; 3 input refused; 4 over a limit;\n"
               "5 input/output; 6 numerically undefined; 7 own data fails its checksum; 8 locked; 10 a property does\n"
               "not hold; 11 inconclusive; 75 stopped, the same command continues; 130 Ctrl-C.\n");
}

void hs_help_overview(hs_str *out, int full)
{
    hs_str_add(out, overview_head);
    if (!full) {
        hs_str_add(out, "Commands: ");
        size_t column = 10;
        for (size_t i = 0; hs_commands[i] != NULL; i++) {
            const char *name = hs_commands[i]->name;
            int wraps = column + strlen(name) + 2 > 78;
            hs_str_addf(out, "%s%s%s", wraps ? "\n  " : "", name, hs_commands[i + 1] != NULL ? ", " : "\n");
            column = (wraps ? 2 : column) + strlen(name) + 2;
        }
        hs_str_add(out, "hspace COMMAND --help explains one; hspace --help lists them all.\n");
        return;
    }
    hs_str_add(out, "Commands:\n");
    for (size_t i = 0; hs_commands[i] != NULL; i++) {
        hs_str_addf(out, "  %-18s  %s\n", hs_commands[i]->name, hs_commands[i]->purpose);
    }
    hs_str_add(out, "\nOptions of every command:\n");
    for (const hs_opt *o = hs_opts_run; o->name != NULL; o++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->meta != NULL ? " " : "", o->meta != NULL ? o->meta : "");
        hs_str_addf(out, "  %c%c %-22s  %s\n", o->letter ? '-' : ' ', o->letter ? o->letter : ' ', left, o->help);
    }
    hs_str_add(out,
               "\nOptions come from the command line, else HSPACE_NAME in the environment, else ./hspace.ini, else\n"
               "$XDG_CONFIG_HOME/hspace/config.ini.\n");
    add_exit_codes(out);
}

static void add_option(hs_str *out, const hs_opt *o)
{
    char left[96];
    int single = o->letter != 0 && o->name[1] == '\0';
    if (single) {
        snprintf(left, sizeof left, "-%c", o->letter);
    } else {
        snprintf(left, sizeof left, "%s%c%s--%s", o->letter ? "-" : "", o->letter ? o->letter : ' ',
                 o->letter ? ", " : "   ", o->name);
    }
    size_t len = strlen(left);
    if (o->meta != NULL) {
        snprintf(left + len, sizeof left - len, " %s", o->meta);
    }
    hs_str_addf(out, strlen(left) > 28 ? "  %s\n  %28s  %s" : "  %-28s%.0s  %s", left, "", o->help);
    if (o->choices != NULL) {
        hs_str_addf(out, ": %s", o->choices);
    }
    hs_str_addf(out, o->value != NULL ? "  [%s]\n" : "\n", o->value);
}

/* The groups in the order in which their first option appears. */
static void add_groups(hs_str *out, const hs_command *def)
{
    const char *seen[32];
    size_t n = 0;
    for (size_t i = 0; hs_command_opt(def, i) != NULL && n < 32; i++) {
        const char *group = hs_command_opt(def, i)->group;
        int known = 0;
        for (size_t k = 0; k < n; k++) {
            known |= strcmp(seen[k], group) == 0;
        }
        if (known) {
            continue;
        }
        seen[n++] = group;
        hs_str_addf(out, "\n%s:\n", group);
        for (size_t k = i; hs_command_opt(def, k) != NULL; k++) {
            if (strcmp(hs_command_opt(def, k)->group, group) == 0) {
                add_option(out, hs_command_opt(def, k));
            }
        }
    }
}

static void add_examples(hs_str *out, const char *examples)
{
    hs_str_add(out, "\nExamples:\n");
    for (const char *p = examples; *p != '\0';) {
        size_t n = strcspn(p, "\n");
        hs_str_addf(out, "  %.*s\n", (int)n, p);
        p += n + (p[n] == '\n');
    }
}

void hs_help_command(const hs_command *def, int full, hs_str *out)
{
    hs_str_addf(out, "Usage: hspace %s [options] %s\n\n%s\n", def->name, def->usage, def->purpose);
    add_examples(out, def->examples);
    if (full) {
        add_groups(out, def);
        add_exit_codes(out);
        return;
    }
    hs_str_add(out, "\nOptions:\n");
    for (size_t t = 0; def->options != NULL && def->options[t] != NULL; t++) {
        for (const hs_opt *o = def->options[t]; o->name != NULL; o++) {
            add_option(out, o);
        }
    }
    hs_str_addf(out, "and -o -f -n -q -v --seed --threads --json --config: hspace %s --help\n", def->name);
}
