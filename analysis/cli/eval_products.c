#include "analysis/cli/eval_products.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

enum { JVP_H, VJP_H, JVP_X, VJP_X };

static const char *const option[HS_EVAL_PRODUCTS] = {"jvp-h", "vjp-h", "jvp-x", "vjp-x"};
static const char *const answer[HS_EVAL_PRODUCTS] = {"jvp_h", "vjp_h", "jvp_x", "vjp_x"};

/* ---- In ---- */

HS_CHECKED static int read_one(hs_cmd *c, const char *name, size_t n, hs_eval_product *p)
{
    const char *path = hs_cmd_str(c, name);
    int rc = HS_OK;
    HS_TRY(hs_common_stack_of(c, path, p->from, &p->in));
    size_t lead = p->in.rank > 3 ? p->in.dim[0] : 1;
    int alone = p->in.rank == 4 && n == 1;
    if (lead != n && lead != 1 && !alone) {
        rc = hs_fail(HS_ESHAPE, "--%s: %s: rows for %zu images, --x has %zu; wanted one for all, or as many", name,
                     path, lead, n);
    }
    p->each = p->in.rank == 5 ? p->in.dim[1] : alone ? lead : 1;
    p->shared = lead == 1 || alone;
out:
    return rc;
}

int hs_eval_products_read(hs_cmd *c, hs_chw image, hs_chw h, size_t n, hs_eval_products *p)
{
    int rc = HS_OK;
    p->n = n;
    for (size_t i = 0; i < HS_EVAL_PRODUCTS; i++) {
        p->of[i].from = i == JVP_H || i == VJP_X ? h : image;
        p->of[i].to = i == JVP_H || i == VJP_X ? image : h;
        if (hs_cmd_given(c, option[i])) {
            HS_TRY(read_one(c, option[i], n, &p->of[i]));
            p->any = 1;
        }
    }
out:
    return rc;
}

void hs_eval_products_free(hs_eval_products *p)
{
    for (size_t i = 0; i < HS_EVAL_PRODUCTS; i++) {
        hs_array_free(&p->of[i].in);
        free(p->of[i].out);
    }
    free(p->row);
    free(p->state);
}

size_t hs_eval_products_rows(const hs_eval_products *p)
{
    size_t rows = 0;
    for (size_t i = 0; i < HS_EVAL_PRODUCTS; i++) {
        rows += p->of[i].in.v != NULL ? p->n * p->of[i].each : 0;
    }
    return rows;
}

size_t hs_eval_products_most(const hs_eval_products *p)
{
    size_t most = 0;
    for (size_t i = 0; i < HS_EVAL_PRODUCTS; i++) {
        size_t rows = p->of[i].in.v != NULL ? p->n * p->of[i].each : 0;
        most = rows > most ? rows : most;
    }
    return most;
}

double hs_eval_products_bytes(const hs_eval_products *p)
{
    double bytes = 0;
    for (size_t i = 0; i < HS_EVAL_PRODUCTS; i++) {
        const hs_eval_product *q = &p->of[i];
        double each = (double)q->each * (double)hs_chw_size(q->to) * sizeof(float);
        bytes += q->in.v != NULL ? (double)p->n * each : 0;
    }
    return bytes;
}

int hs_eval_products_begin(hs_eval_products *p, size_t batch)
{
    size_t widest = 0;
    int rc = HS_OK;
    for (size_t i = 0; i < HS_EVAL_PRODUCTS; i++) {
        hs_eval_product *q = &p->of[i];
        size_t rows, d = hs_chw_size(q->from);
        widest = d > widest ? d : widest;
        if (q->in.v != NULL) {
            HS_TRY(hs_size_mul(p->n, q->each, &rows));
            HS_TRY(hs_alloc(rows, hs_chw_size(q->to) * sizeof *q->out, &q->out));
        }
    }
    HS_TRY(hs_alloc(batch, widest * sizeof *p->row, &p->row));
    HS_TRY(hs_alloc(batch, sizeof *p->state, &p->state));
    p->batch = batch;
out:
    return rc;
}

/* ---- At recorded states ---- */

HS_CHECKED static int multiply(hs_unet_grad *g, size_t kind, size_t rows, const size_t *state, const float *in,
                               float *out)
{
    switch (kind) {
    case JVP_H: return hs_unet_jvp_decode(g, rows, state, HS_SKIPS_FIXED, in, out);
    case VJP_H: return hs_unet_vjp_decode(g, rows, state, HS_SKIPS_FIXED, in, out);
    case JVP_X: return hs_unet_jvp_encode(g, rows, state, in, out);
    default: return hs_unet_vjp_encode(g, rows, state, HS_SKIPS_FIXED, in, out);
    }
}

int hs_eval_products_at(hs_eval_products *p, hs_unet_grad *g, size_t first, size_t n)
{
    int rc = HS_OK;
    for (size_t i = 0; i < HS_EVAL_PRODUCTS; i++) {
        hs_eval_product *q = &p->of[i];
        size_t all = q->in.v != NULL ? n * q->each : 0, d = hs_chw_size(q->from);
        for (size_t done = 0, rows; done < all; done += rows) {
            rows = all - done < p->batch ? all - done : p->batch;
            for (size_t r = 0; r < rows; r++) {
                size_t at = done + r, which = q->shared ? at % q->each : first * q->each + at;
                p->state[r] = at / q->each;
                memcpy(p->row + r * d, q->in.v + which * d, d * sizeof *p->row);
            }
            float *out = q->out + (first * q->each + done) * hs_chw_size(q->to);
            HS_TRY(multiply(g, i, rows, p->state, p->row, out));
        }
    }
out:
    return rc;
}

/* ---- Out ---- */

size_t hs_eval_products_out(const hs_eval_products *p, hs_out_array *out)
{
    size_t count = 0;
    for (size_t i = 0; i < HS_EVAL_PRODUCTS; i++) {
        const hs_eval_product *q = &p->of[i];
        if (q->in.v != NULL) {
            size_t five = q->in.rank == 5, dim[5] = {p->n, q->each, q->to.c, q->to.h, q->to.w};
            if (!five) {
                dim[1] = p->n * q->each;
            }
            out[count] = (hs_out_array){.name = answer[i], .rank = 4 + five, .dtype = HS_F32, .v = q->out};
            memcpy(out[count].dim, dim + !five, (4 + five) * sizeof *dim);
            count++;
        }
    }
    return count;
}
