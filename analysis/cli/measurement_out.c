#include "analysis/cli/measurement_out.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"

static json_t *estimate_json(const hs_estimate *e)
{
    return hs_json_estimate(e->name, e->value, e->lo, e->hi, e->n, e->estimator != NULL ? e->estimator : "", e->reason);
}

/* Controls that were run, or those that were not. */
static json_t *controls_json(const hs_measurement *m, int run)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->n_controls; i++) {
        const hs_control_answer *a = &m->control[i];
        if (a->run != run) {
            continue;
        }
        json_t *o = json_pack("{s:s, s:s}", "name", a->name, "reason", a->reason);
        if (run) {
            json_object_set_new(o, "verdict", a->verdict[0] != '\0' ? json_string(a->verdict) : json_null());
            json_object_set_new(o, "primary", a->has_primary ? estimate_json(&a->primary) : json_null());
            json_object_set_new(o, "effect", a->has_effect ? estimate_json(&a->effect) : json_null());
            json_object_set_new(o, "null", a->has_null ? estimate_json(&a->null) : json_null());
        }
        json_array_append_new(list, o);
    }
    return list;
}

json_t *hs_measurement_json(const hs_measurement *m)
{
    json_t *o = json_object(), *notes = json_array(), *statistics = json_array();
    for (size_t i = 0; i < m->n_notes; i++) {
        json_array_append_new(notes, json_string(m->note[i]));
    }
    for (size_t i = 0; i < m->n_statistics; i++) {
        json_array_append_new(statistics, estimate_json(&m->statistic[i]));
    }
    json_object_set_new(o, "property", json_string(m->property));
    json_object_set_new(o, "direction", json_string(m->direction));
    json_object_set_new(o, "verdict", json_string(hs_measurement_verdict(m)));
    json_object_set_new(o, "specific", json_string(hs_specific_name(m->specific)));
    json_object_set_new(o, "reason", json_string(m->reason));
    json_object_set_new(o, "primary", estimate_json(&m->primary));
    json_object_set_new(o, "standard", hs_json_num(m->standard));
    json_object_set_new(o, "effect", estimate_json(&m->effect));
    json_object_set_new(o, "null", m->has_null ? estimate_json(&m->null) : json_null());
    json_object_set_new(o, "rival", m->has_rival ? estimate_json(&m->rival) : json_null());
    json_object_set_new(o, "difference_rival", m->has_rival ? estimate_json(&m->difference_rival) : json_null());
    json_object_set_new(o, "notes", notes);
    json_object_set_new(o, "statistics", statistics);
    if (m->n_controls > 0) {
        json_object_set_new(o, "controls_run", controls_json(m, 1));
        json_object_set_new(o, "controls_not_run", controls_json(m, 0));
    }
    return o;
}

static void say_estimate(hs_cmd *c, const char *label, const hs_estimate *e)
{
    if (!isfinite(e->value)) {
        hs_cmd_say(c, "  %-18s undefined: %s\n", label, e->reason != NULL ? e->reason : "no number");
    } else if (isfinite(e->lo)) {
        hs_cmd_say(c, "  %-18s %.4g [%.4g, %.4g]  n = %zu\n", label, e->value, e->lo, e->hi, e->n);
    } else {
        hs_cmd_say(c, "  %-18s %.4g  n = %zu\n", label, e->value, e->n);
    }
}

static void say_controls(hs_cmd *c, const hs_measurement *m)
{
    for (int run = 1; run >= 0; run--) {
        for (size_t i = 0; i < m->n_controls; i++) {
            const hs_control_answer *a = &m->control[i];
            if (a->run == run) {
                hs_cmd_say(c, "  %s %s: %s%s%s\n", run ? "control" : "control not run:", a->name, a->verdict,
                           a->verdict[0] != '\0' ? "; " : "", a->reason);
            }
            if (a->run == run && a->verdict[0] != '\0') {
                say_estimate(c, "  its primary", &a->primary);
            }
        }
    }
}

void hs_measurement_say(hs_cmd *c, const char *readout, const hs_measurement *m)
{
    hs_cmd_say(c, "%s%s%s%s%s: %s\n  %s\n", m->property, m->direction[0] ? " of " : "", m->direction,
               readout[0] ? ", read-out " : "", readout, hs_measurement_verdict(m), m->reason);
    hs_cmd_say(c, "  %-18s %s\n  %-18s %.4g\n", "special to h", hs_specific_name(m->specific), "standard", m->standard);
    say_estimate(c, m->primary.name, &m->primary);
    say_estimate(c, "effect", &m->effect);
    if (m->has_null) {
        say_estimate(c, "null", &m->null);
    }
    for (size_t i = 0; i < m->n_statistics; i++) {
        if (strchr(m->statistic[i].name, '[') == NULL && strcmp(m->statistic[i].name, m->primary.name) != 0) {
            say_estimate(c, m->statistic[i].name, &m->statistic[i]);
        }
    }
    for (size_t i = 0; i < m->n_notes; i++) {
        hs_cmd_say(c, "  note: %s\n", m->note[i]);
    }
    say_controls(c, m);
}

HS_CHECKED static int put_statistics(hs_result *r, const hs_measurement *m)
{
    size_t n = m->n_statistics;
    const char **name = NULL, **reason = NULL;
    double *v = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(n, sizeof *name, &name));
    HS_TRY(hs_alloc(n, sizeof *reason, &reason));
    HS_TRY(hs_alloc(3 * n, sizeof *v, &v));
    for (size_t i = 0; i < n; i++) {
        name[i] = m->statistic[i].name;
        reason[i] = m->statistic[i].reason != NULL ? m->statistic[i].reason : "";
        v[i] = m->statistic[i].value;
        v[n + i] = m->statistic[i].lo;
        v[2 * n + i] = m->statistic[i].hi;
    }
    HS_TRY(hs_result_put_strings(r, "statistic", "statistic", n, name));
    HS_TRY(hs_result_put_strings(r, "statistic_reason", "statistic", n, reason));
    HS_TRY(hs_result_put_f64(r, "statistic_value", "statistic", 1, &n, v));
    HS_TRY(hs_result_put_f64(r, "statistic_low", "statistic", 1, &n, v + n));
    HS_TRY(hs_result_put_f64(r, "statistic_high", "statistic", 1, &n, v + 2 * n));
out:
    free(name);
    free(reason);
    free(v);
    return rc;
}

/* controls_run, controls_not_run: "name: what came out", a line each. */
HS_CHECKED static int put_controls(hs_result *r, const hs_measurement *m)
{
    int rc = HS_OK;
    for (int run = 0; run < 2 && m->n_controls > 0; run++) {
        hs_str text = {0};
        for (size_t i = 0; i < m->n_controls; i++) {
            const hs_control_answer *a = &m->control[i];
            if (a->run == run) {
                hs_str_addf(&text, "%s%s: %s%s%s", text.len > 0 ? "\n" : "", a->name, a->verdict,
                            a->verdict[0] != '\0' ? "; " : "", a->reason);
            }
        }
        rc = hs_str_ok(&text);
        if (rc == HS_OK) {
            rc = hs_result_attr_str(r, NULL, run ? "controls_run" : "controls_not_run", text.s != NULL ? text.s : "");
        }
        hs_str_free(&text);
        HS_TRY(rc);
    }
out:
    return rc;
}

/* What decided, and the notes. */
HS_CHECKED static int put_decision(hs_result *r, const hs_measurement *m)
{
    hs_str notes = {0};
    int rc = HS_OK;
    for (size_t i = 0; i < m->n_notes; i++) {
        hs_str_addf(&notes, "%s%s", i > 0 ? "\n" : "", m->note[i]);
    }
    HS_TRY(hs_str_ok(&notes));
    HS_TRY(hs_result_attr_str(r, NULL, "notes", notes.len > 0 ? notes.s : ""));
    HS_TRY(hs_result_attr_str(r, NULL, "primary", m->primary.name));
    HS_TRY(hs_result_attr_f64(r, NULL, "primary_value", m->primary.value));
    HS_TRY(hs_result_attr_f64(r, NULL, "primary_low", m->primary.lo));
    HS_TRY(hs_result_attr_f64(r, NULL, "primary_high", m->primary.hi));
    HS_TRY(hs_result_attr_f64(r, NULL, "effect_value", m->effect.value));
    HS_TRY(hs_result_attr_f64(r, NULL, "null_value", m->has_null ? m->null.value : NAN));
    HS_TRY(hs_result_attr_i64(r, NULL, "images", (int64_t)m->primary.n));
out:
    hs_str_free(&notes);
    return rc;
}

int hs_measurement_put_file(hs_result *r, const hs_measurement *m)
{
    int rc = HS_OK;
    HS_TRY(hs_result_attr_str(r, NULL, "property", m->property));
    HS_TRY(hs_result_attr_str(r, NULL, "direction", m->direction));
    HS_TRY(hs_result_attr_str(r, NULL, "verdict", hs_measurement_verdict(m)));
    HS_TRY(hs_result_attr_str(r, NULL, "specific", hs_specific_name(m->specific)));
    HS_TRY(hs_result_attr_str(r, NULL, "reason", m->reason));
    HS_TRY(hs_result_attr_f64(r, NULL, "standard", m->standard));
    HS_TRY(put_decision(r, m));
    HS_TRY(put_controls(r, m));
    if (m->n_statistics > 0) {
        HS_TRY(put_statistics(r, m));
    }
out:
    return rc;
}

int hs_measurements_exit(size_t n, const hs_verdict *verdict)
{
    int worst = 0;
    for (size_t i = 0; i < n; i++) {
        int code = hs_verdict_exit(verdict[i]);
        worst = code == 10 || worst == 10 ? 10 : code > worst ? code : worst;
    }
    return worst;
}
