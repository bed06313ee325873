/* hspace info of one direction of a file. */
#include "analysis/cli/info.h"
#include "analysis/directions/direction.h"
#include "core/io/json.h"
#include "core/linalg/blas.h"

static void put_change(hs_cmd *c, const hs_direction *d)
{
    size_t len = hs_chw_size(d->shape), rows = d->S > 0 ? d->S : 1;
    json_t *r = hs_cmd_results(c), *t = json_array(), *norm = json_array();
    hs_cmd_say(c, "shape       %zu x %zu x %zu%s\n", d->shape.c, d->shape.h, d->shape.w,
               d->S > 0 ? "" : ", the same at every timestep");
    if (d->S > 0) {
        hs_cmd_say(c, "   t        norm\n");
    }
    for (size_t k = 0; k < rows; k++) {
        double length = hs_nrm2_f32(len, d->dh + k * len);
        json_array_append_new(norm, hs_json_num(length));
        if (d->S > 0) {
            json_array_append_new(t, json_integer(d->t[k]));
            hs_cmd_say(c, "%4d  %10.4g\n", d->t[k], length);
        } else {
            hs_cmd_say(c, "norm        %.4g\n", length);
        }
    }
    json_object_set_new(r, "shape", hs_json_chw(d->shape));
    json_object_set_new(r, "timesteps", t);
    json_object_set_new(r, "norms", norm);
}

static void put_network(hs_cmd *c, const hs_direction *d)
{
    size_t params = 0;
    (void)hs_deltablock_theta(d->net, &params);
    json_t *r = hs_cmd_results(c);
    hs_cmd_say(c, "network     f_t of h and t: %zu channels, %zu inside, %zu numbers\n", hs_deltablock_channels(d->net),
               hs_deltablock_hidden(d->net), params);
    json_object_set_new(r, "channels", json_integer((json_int_t)hs_deltablock_channels(d->net)));
    json_object_set_new(r, "params", json_integer((json_int_t)params));
    if (d->found_steps > 0) {
        hs_cmd_say(c, "found       with %zu steps, at t >= %d\n", d->found_steps, d->found_t_edit);
    }
}

int hs_info_direction(hs_cmd *c, const char *spec)
{
    hs_direction d = {0};
    int rc = hs_direction_open(spec, &d);
    if (rc != HS_OK) {
        return rc;
    }
    json_t *r = hs_cmd_results(c);
    json_object_set_new(r, "kind", json_string("direction"));
    json_object_set_new(r, "direction", json_string(d.name));
    json_object_set_new(r, "space", json_string(d.space == HS_SPACE_EPS ? "eps" : "h"));
    json_object_set_new(r, "network", json_boolean(d.net != NULL));
    json_object_set_new(r, "tap", json_string(d.tap));
    json_object_set_new(r, "model_sha256", json_string(d.model_sha256));
    hs_cmd_say(c, "direction   %s, of %s\n", d.name, d.space == HS_SPACE_EPS ? "eps" : "h");
    hs_cmd_say(c, "model       %s\n", d.model_sha256[0] != '\0' ? d.model_sha256 : "the file doesn't say");
    if (d.net != NULL) {
        put_network(c, &d);
    } else {
        put_change(c, &d);
    }
    rc = hs_cmd_input(c, d.file);
    hs_direction_free(&d);
    return rc;
}
