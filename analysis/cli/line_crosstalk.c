#include "analysis/cli/line_crosstalk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

void hs_crosstalk_free(hs_crosstalk *m)
{
    free(m->term);
    free(m->readout);
    for (int k = 0; k < HS_CROSSTALK_MATRICES; k++) {
        free(m->v[k]);
    }
    memset(m, 0, sizeof *m);
}

/* Entry (t, b) <- a statistic of read-out b, if it was measured. */
static void fill(hs_crosstalk *m, size_t t, size_t b, const hs_line_case *item, const hs_measurement *of)
{
    for (int random = 0; random < 2; random++) {
        char name[64];
        hs_line_crosstalk_name(&item->terms, t, random, name);
        const hs_estimate *e = hs_measurement_find(of, name);
        size_t at = t * m->R + b;
        m->v[random ? HS_CROSSTALK_RANDOM_LOW : HS_CROSSTALK_LOW][at] = e != NULL ? e->lo : (double)NAN;
        m->v[random ? HS_CROSSTALK_RANDOM_HIGH : HS_CROSSTALK_HIGH][at] = e != NULL ? e->hi : (double)NAN;
        if (!random) {
            m->v[HS_CROSSTALK_VALUE][at] = e != NULL ? e->value : (double)NAN;
        }
    }
}

int hs_crosstalk_of(size_t n, const hs_line_case *item, const hs_linearity *measured, hs_crosstalk *out)
{
    int rc;
    hs_crosstalk m = {.T = item[0].terms.T, .K = item[0].terms.K, .n = item[0].terms.n};
    for (size_t i = 0; i < n; i++) {
        m.R += item[i].terms.effect != NULL;
    }
    HS_TRY(hs_alloc(m.T, sizeof *m.term, &m.term));
    HS_TRY(hs_alloc(m.R, sizeof *m.readout, &m.readout));
    for (int k = 0; k < HS_CROSSTALK_MATRICES; k++) {
        HS_TRY(hs_alloc(m.T, m.R * sizeof **m.v, &m.v[k]));
    }
    m.strength = m.T > 0 ? item[0].effects.strength[hs_effects_far(&item[0].effects)] : 0;
    for (size_t t = 0; t < m.T; t++) {
        m.term[t] = item[0].terms.name[t];
    }
    for (size_t i = 0, b = 0; i < n; i++) {
        for (size_t t = 0; t < m.T && item[i].terms.effect != NULL; t++) {
            fill(&m, t, b, &item[i], &measured[i].result);
        }
        if (item[i].terms.effect != NULL) {
            m.readout[b++] = item[i].readout;
        }
    }
    *out = m;
    m = (hs_crosstalk){0};
out:
    hs_crosstalk_free(&m);
    return rc;
}

static json_t *texts(size_t n, const char *const *text)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(list, json_string(text[i]));
    }
    return list;
}

json_t *hs_crosstalk_json(const hs_crosstalk *m)
{
    static const char *const key[HS_CROSSTALK_MATRICES] = {"value", "lo", "hi", "random_lo", "random_hi"};
    json_t *o =
        json_pack("{s:o, s:o, s:s, s:o}", "directions", texts(m->T, m->term), "readouts", texts(m->R, m->readout),
                  "unit", "sd of unedited images", "strength", hs_json_num(m->strength));
    for (int k = 0; k < (m->K > 0 ? HS_CROSSTALK_MATRICES : HS_CROSSTALK_RANDOM_LOW); k++) {
        json_t *rows = json_array();
        for (size_t t = 0; t < m->T; t++) {
            json_array_append_new(rows, hs_json_nums(m->R, m->v[k] + t * m->R));
        }
        json_object_set_new(o, key[k], rows);
    }
    return o;
}

void hs_crosstalk_say(hs_cmd *c, const hs_crosstalk *m)
{
    if (m->T == 0 || m->R == 0) {
        return;
    }
    hs_cmd_say(c, "cross-talk: each direction alone at strength %g, in sd of unedited images\n  %-18s", m->strength,
               "");
    for (size_t b = 0; b < m->R; b++) {
        hs_cmd_say(c, " %24.24s", m->readout[b]);
    }
    hs_cmd_say(c, "\n");
    for (size_t t = 0; t < m->T; t++) {
        hs_cmd_say(c, "  %-18.40s", m->term[t]);
        for (size_t b = 0; b < m->R; b++) {
            char cell[64];
            size_t at = t * m->R + b;
            snprintf(cell, sizeof cell, "%.3f [%.3f, %.3f]", m->v[HS_CROSSTALK_VALUE][at], m->v[HS_CROSSTALK_LOW][at],
                     m->v[HS_CROSSTALK_HIGH][at]);
            hs_cmd_say(c, " %24s", cell);
        }
        hs_cmd_say(c, "\n");
    }
}

int hs_crosstalk_put(hs_result *r, const hs_crosstalk *m)
{
    static const char *const name[HS_CROSSTALK_MATRICES] = {"crosstalk", "crosstalk_low", "crosstalk_high",
                                                            "crosstalk_random_low", "crosstalk_random_high"};
    int rc = HS_OK;
    const size_t dim[2] = {m->T, m->R};
    if (m->T == 0 || m->R == 0) {
        return HS_OK;
    }
    HS_TRY(hs_result_put_strings(r, "crosstalk_direction", "crosstalk_direction", m->T, m->term));
    HS_TRY(hs_result_put_strings(r, "crosstalk_readout", "crosstalk_readout", m->R, m->readout));
    for (int k = 0; k < (m->K > 0 ? HS_CROSSTALK_MATRICES : HS_CROSSTALK_RANDOM_LOW); k++) {
        HS_TRY(hs_result_put_f64(r, name[k], "crosstalk_direction,crosstalk_readout", 2, dim, m->v[k]));
    }
    HS_TRY(hs_result_attr_f64(r, NULL, "crosstalk_strength", m->strength));
out:
    return rc;
}
