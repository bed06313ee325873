#include "analysis/train/pictures.h"

#include <stdlib.h>

#include "analysis/figures/loss.h"
#include "analysis/train/paths.h"
#include "analysis/train/table.h"
#include "core/base/alloc.h"
#include "core/base/log.h"

HS_CHECKED static int draw(const char *folder, const hs_table_row *row, size_t n)
{
    char path[HS_TRAIN_PATH];
    double *column = NULL;
    int rc = HS_OK, drawn;
    HS_TRY(hs_train_path(folder, "loss.png", path));
    HS_TRY(hs_alloc(3 * n, sizeof *column, &column));
    for (size_t i = 0; i < n; i++) {
        column[i] = (double)row[i].update;
        column[n + i] = row[i].loss;
        column[2 * n + i] = row[i].grad_norm;
    }
    const hs_figure_training curve = {
        n, column, column + n, column + 2 * n, row[n - 1].images_per_second, row[n - 1].seconds};
    const hs_figure_options opt = {.out = path, .force = 1};
    HS_TRY(hs_figure_loss(&curve, &opt, &drawn));
out:
    free(column);
    return rc;
}

void hs_train_draw_loss(const char *folder)
{
    hs_table_row *row = NULL;
    size_t n = 0;
    int rc = hs_table_read(folder, &row, &n);
    if (rc == HS_OK && n > 1) {
        rc = draw(folder, row, n);
    }
    if (rc != HS_OK) {
        hs_log(HS_LOG_WARNING, "%s: no loss curve: %s", folder, hs_error_message());
    }
    free(row);
}
