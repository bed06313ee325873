/* hspace completion: a shell's completion of commands and options, from the tables. */
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/internal.h"

/* The words of a command: its options and, for those with choices, nothing more (files complete). */
static void add_option_words(hs_str *out, const hs_command *def)
{
    for (size_t i = 0; hs_command_opt(def, i) != NULL; i++) {
        const hs_opt *o = hs_command_opt(def, i);
        int single = o->letter != 0 && o->name[1] == '\0';
        hs_str_addf(out, "%s%s%s", i > 0 ? " " : "", single ? "-" : "--", o->name);
    }
}

/* First words of the commands, each once. */
static void add_first_words(hs_str *out)
{
    const char *last = "";
    for (size_t i = 0; hs_commands[i] != NULL; i++) {
        const char *name = hs_commands[i]->name;
        size_t n = strcspn(name, " ");
        if (strncmp(last, name, n) != 0 || (last[n] != '\0' && last[n] != ' ')) {
            hs_str_addf(out, "%s%.*s", i > 0 ? " " : "", (int)n, name);
        }
        last = name;
    }
}

static void add_bash(hs_str *out)
{
    hs_str_add(out, "_hspace() {\n    local cur=${COMP_WORDS[COMP_CWORD]} words=\n"
                    "    case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n");
    for (size_t i = 0; hs_commands[i] != NULL; i++) {
        const char *name = hs_commands[i]->name;
        hs_str_addf(out, "    '%s%s'*) words='", name, strchr(name, ' ') != NULL ? "" : " ");
        add_option_words(out, hs_commands[i]);
        hs_str_add(out, "' ;;\n");
    }
    hs_str_add(out, "    esac\n    if [ \"$COMP_CWORD\" -eq 1 ]; then words='");
    add_first_words(out);
    hs_str_add(out, "'\n    elif [ \"$COMP_CWORD\" -eq 2 ] && [ \"${COMP_WORDS[1]}\" = direction ]; then words='");
    for (size_t i = 0; hs_commands[i] != NULL; i++) {
        if (strncmp(hs_commands[i]->name, "direction ", 10) == 0) {
            hs_str_addf(out, "%s ", hs_commands[i]->name + 10);
        }
    }
    hs_str_add(out, "'\n    elif [ \"${cur#-}\" = \"$cur\" ]; then words=; fi\n"
                    "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
                    "complete -o default -F _hspace hspace\n");
}

static void add_zsh(hs_str *out)
{
    hs_str_add(out, "#compdef hspace\nautoload -U +X bashcompinit && bashcompinit\n");
    add_bash(out);
}

/* A text inside single quotes of fish. */
static void add_fish_text(hs_str *out, const char *text)
{
    hs_str_add(out, "'");
    for (; *text != '\0'; text++) {
        hs_str_addf(out, *text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
    }
    hs_str_add(out, "'");
}

static void add_fish(hs_str *out)
{
    for (size_t i = 0; hs_commands[i] != NULL; i++) {
        const hs_command *def = hs_commands[i];
        size_t first = strcspn(def->name, " ");
        if (def->name[first] == '\0') {
            hs_str_addf(out, "complete -c hspace -n __fish_use_subcommand -a %s -d ", def->name);
        } else {
            hs_str_addf(out, "complete -c hspace -n '__fish_seen_subcommand_from %.*s' -a %s -d ", (int)first,
                        def->name, def->name + first + 1);
        }
        add_fish_text(out, def->purpose);
        hs_str_add(out, "\n");
        for (size_t k = 0; hs_command_opt(def, k) != NULL; k++) {
            const hs_opt *o = hs_command_opt(def, k);
            int single = o->letter != 0 && o->name[1] == '\0';
            hs_str_addf(out, "complete -c hspace -n '__fish_seen_subcommand_from %s' %s %s%s -d ",
                        def->name[first] == '\0' ? def->name : def->name + first + 1, single ? "-s" : "-l", o->name,
                        o->type == HS_OPT_FLAG ? "" : " -r");
            add_fish_text(out, o->help);
            hs_str_add(out, "\n");
        }
    }
}

static int run(hs_cmd *c)
{
    static const struct {
        const char *name;
        void (*add)(hs_str *);
    } shells[] = {{"bash", add_bash}, {"zsh", add_zsh}, {"fish", add_fish}};
    const char *const *shell;
    hs_cmd_inputs(c, &shell);
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(shell[0], shells[i].name) == 0) {
            hs_str text = {0};
            shells[i].add(&text);
            int rc = hs_str_ok(&text);
            if (rc == HS_OK) {
                json_object_set_new(hs_cmd_results(c), "script", json_string(text.s));
                hs_cmd_say(c, "%s", text.s);
            }
            hs_str_free(&text);
            return rc;
        }
    }
    return hs_fail(HS_ERANGE, "completion: '%.80s' is unknown; wanted bash, zsh or fish", shell[0]);
}

const hs_command hs_cmd_completion = {
    .name = "completion",
    .usage = "bash|zsh|fish",
    .purpose = "Prints a completion script for a shell.",
    .examples = "hspace completion bash > ~/.local/share/bash-completion/completions/hspace",
    .min_inputs = 1,
    .max_inputs = 1,
    .run = run,
};
