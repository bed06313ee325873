/* Every command, one a line, in the order of the overview. */
#include "analysis/cli/commands.h"

#include "analysis/cli/command.h"

const hs_command *const hs_commands[] = {
    &hs_cmd_doctor,
    &hs_cmd_completion,
    NULL,
};
