/* Every command, one a line, in the order of the overview. */
#include "analysis/cli/commands.h"

#include "analysis/cli/command.h"

/* clang-format off */
const hs_command *const hs_commands[] = {
    &hs_cmd_info,
    &hs_cmd_eval,
    &hs_cmd_faces,
    &hs_cmd_score,
    &hs_cmd_sample,
    &hs_cmd_invert,
    &hs_cmd_dump,
    &hs_cmd_merge,
    &hs_cmd_import,
    &hs_cmd_export,
    &hs_cmd_train,
    &hs_cmd_pca,
    &hs_cmd_direction_mean,
    &hs_cmd_direction_probe,
    &hs_cmd_direction_asyrp,
    &hs_cmd_direction_jacobian,
    &hs_cmd_direction_random,
    &hs_cmd_direction_orthogonalize,
    &hs_cmd_direction_freeze,
    &hs_cmd_edit,
    &hs_cmd_sweep,
    &hs_cmd_interpolate,
    &hs_cmd_edit_success,
    &hs_cmd_curves,
    &hs_cmd_theorem1,
    &hs_cmd_verify,
    &hs_cmd_homogeneity,
    &hs_cmd_linearity,
    &hs_cmd_robustness,
    &hs_cmd_consistency,
    &hs_cmd_similarity,
    &hs_cmd_compare,
    &hs_cmd_geometry,
    &hs_cmd_plot,
    &hs_cmd_report,
    &hs_cmd_bench,
    &hs_cmd_doctor,
    &hs_cmd_completion,
    NULL,
};
/* clang-format on */
