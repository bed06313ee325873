/* The commands, each defined in its cmd_*.c. */
#ifndef HS_CLI_COMMANDS_H
#define HS_CLI_COMMANDS_H

#include "analysis/cli/command.h"

extern const hs_command hs_cmd_bench;
extern const hs_command hs_cmd_interpolate;
extern const hs_command hs_cmd_sweep;
extern const hs_command hs_cmd_edit;
extern const hs_command hs_cmd_theorem1;
extern const hs_command hs_cmd_verify;
extern const hs_command hs_cmd_edit_success;
extern const hs_command hs_cmd_direction_random;
extern const hs_command hs_cmd_direction_mean;
extern const hs_command hs_cmd_direction_probe;
extern const hs_command hs_cmd_direction_orthogonalize;
extern const hs_command hs_cmd_direction_asyrp;
extern const hs_command hs_cmd_direction_jacobian;
extern const hs_command hs_cmd_direction_freeze;
extern const hs_command hs_cmd_curves;
extern const hs_command hs_cmd_pca;
extern const hs_command hs_cmd_dump;
extern const hs_command hs_cmd_merge;
extern const hs_command hs_cmd_info;
extern const hs_command hs_cmd_faces;
extern const hs_command hs_cmd_export;
extern const hs_command hs_cmd_import;
extern const hs_command hs_cmd_invert;
extern const hs_command hs_cmd_eval;
extern const hs_command hs_cmd_sample;
extern const hs_command hs_cmd_linearity;
extern const hs_command hs_cmd_robustness;
extern const hs_command hs_cmd_homogeneity;
extern const hs_command hs_cmd_consistency;
extern const hs_command hs_cmd_geometry;
extern const hs_command hs_cmd_plot;
extern const hs_command hs_cmd_report;
extern const hs_command hs_cmd_similarity;
extern const hs_command hs_cmd_compare;
extern const hs_command hs_cmd_doctor;
extern const hs_command hs_cmd_completion;
extern const hs_command hs_cmd_train;
extern const hs_command hs_cmd_score;

#endif
