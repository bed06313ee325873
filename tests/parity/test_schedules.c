/* Schedules, timesteps and respaced processes against diffusers and guided-diffusion. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "core/diffusion/schedule.h"
#include "tests/support/support.h"

static long number(const json_t *o, const char *key)
{
    return (long)json_integer_value(json_object_get(o, key));
}

static hs_spacing spacing_of(const char *name)
{
    return strcmp(name, "leading") == 0    ? HS_SPACING_LEADING
           : strcmp(name, "trailing") == 0 ? HS_SPACING_TRAILING
                                           : HS_SPACING_LINSPACE;
}

/* diffusers' previous timestep is below 0 at the end; ours says -1. */
static void check_table(const hs_schedule *s, const json_t *table)
{
    const json_t *t = json_object_get(table, "timesteps"), *prev = json_object_get(table, "prev_timestep");
    hs_steps_spec spec = {.spacing = spacing_of(json_string_value(json_object_get(table, "spacing"))),
                          .S = (size_t)number(table, "steps"),
                          .steps_offset = (int)number(table, "steps_offset")};
    hs_steps st;
    assert_ok(hs_steps_create(s, &spec, &st));
    assert_int_equal(st.S, json_array_size(t));
    for (size_t k = 0; k < st.S; k++) {
        long p = (long)json_integer_value(json_array_get(prev, k));
        assert_int_equal(st.step[k].t, json_integer_value(json_array_get(t, k)));
        assert_int_equal(st.step[k].t_next, p < 0 ? -1 : p);
        assert_near(st.step[k].alpha_bar_next, s->alpha_bar[p < 0 ? 0 : p], 0);
    }
    hs_steps_free(&st);
}

static void test_diffusers_timesteps(void **state)
{
    (void)state;
    const char *file[] = {"parity/diffusers_ddpm/schedules.json", "parity/diffusers_adm/schedules.json"};
    hs_schedule s;
    hs_schedule_spec spec = {.kind = HS_SCHEDULE_LINEAR, .T = 1000, .beta_start = 1e-4, .beta_end = 0.02};
    need_shared(file[0]);
    assert_ok(hs_schedule_create(&spec, &s));
    for (int f = 0; f < 2; f++) {
        json_t *j = json_load_file(shared_data(file[f]), 0, NULL);
        json_t *tables = json_object_get(j, "tables");
        assert_int_equal(number(j, "T"), 1000);
        assert_int_equal(json_array_size(tables), 32);
        for (size_t i = 0; i < 32; i++) {
            check_table(&s, json_array_get(tables, i));
        }
        json_decref(j);
    }
    hs_schedule_free(&s);
}

/* The values of a float64 or int64 .npy (format 1.0: 10 bytes, then a header of the length they name). */
static size_t read_npy(const char *stem, size_t max, double *v)
{
    char file[160];
    unsigned char head[10];
    snprintf(file, sizeof file, "parity/adm_openai/schedules/%s.npy", stem);
    FILE *f = fopen(shared_data(file), "rb");
    assert_non_null(f);
    assert_int_equal(fread(head, 1, 10, f), 10);
    assert_int_equal(fseek(f, 10 + head[8] + 256 * head[9], SEEK_SET), 0);
    size_t n = fread(v, sizeof *v, max, f);
    (void)fclose(f);
    return n;
}

static void check_betas(const char *name, const hs_schedule_spec *spec)
{
    static const char *respaced[] = {"ddim25", "ddim50", "6", "40", "10-15-20"};
    double beta[1000], ab[64], t[64], own[64];
    hs_schedule s;
    char stem[64];
    assert_ok(hs_schedule_create(spec, &s));
    snprintf(stem, sizeof stem, "betas_%s_1000", name);
    assert_int_equal(read_npy(stem, 1000, beta), 1000);
    for (size_t i = 0; i < 1000; i++) {
        assert_near(s.beta[i], beta[i], 1e-12);
    }
    for (size_t r = 0; r < 5; r++) {
        snprintf(stem, sizeof stem, "%s_1000_%s_timesteps", name, respaced[r]);
        size_t n = read_npy(stem, 64, t);
        snprintf(stem, sizeof stem, "%s_1000_%s_alphas_cumprod", name, respaced[r]);
        assert_int_equal(read_npy(stem, 64, ab), n);
        snprintf(stem, sizeof stem, "%s_1000_%s_betas", name, respaced[r]);
        assert_int_equal(read_npy(stem, 64, own), n);
        hs_steps steps;
        assert_ok(hs_steps_respaced(&s, strcmp(respaced[r], "10-15-20") == 0 ? "10,15,20" : respaced[r], &steps));
        assert_int_equal(steps.S, n);
        for (size_t k = 0; k < n; k++) {
            const hs_step *step = &steps.step[n - 1 - k];
            int64_t at;
            memcpy(&at, &t[k], sizeof at);
            assert_int_equal(step->t, at);
            assert_near(step->alpha_bar, ab[k], 1e-12);
            assert_near(1 - step->alpha_bar / step->alpha_bar_next, own[k], 1e-12);
        }
        hs_steps_free(&steps);
    }
    hs_schedule_free(&s);
}

static void test_guided_diffusion_betas(void **state)
{
    (void)state;
    need_shared("parity/adm_openai/schedules/betas_linear_1000.npy");
    check_betas("linear",
                &(hs_schedule_spec){.kind = HS_SCHEDULE_LINEAR, .T = 1000, .beta_start = 1e-4, .beta_end = 0.02});
    check_betas("cosine",
                &(hs_schedule_spec){
                    .kind = HS_SCHEDULE_COSINE, .T = 1000, .cosine_s = 0.008, .beta_min = 0, .beta_max = 0.999});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_diffusers_timesteps),
        cmocka_unit_test(test_guided_diffusion_betas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
