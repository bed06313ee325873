/* The authors' delta networks against float64 values: six networks, h of anime64, stand-in embeddings
 * at several t (golden-stats/ft.json, dh_smiling_t500.npy). */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/model/deltablock.h"
#include "core/nn/linear.h"
#include "tests/support/golden.h"

enum { D_H = 512 * 8 * 8, TEMB = 512, IMAGES = 4 };

static const hs_chw shape = {512, 8, 8};

static hs_deltablock *network(const char *name)
{
    char file[256];
    hs_deltablock *f = NULL;
    snprintf(file, sizeof file, "asyrp-dh/%s.pth", name);
    hs_tensors *ts = golden_open(file);
    assert_ok(hs_deltablock_load(ts, "0.", &f));
    assert_int_equal(hs_deltablock_channels(f), 512);
    assert_int_equal(hs_deltablock_temb_dim(f), 512);
    hs_tensors_free(ts);
    return f;
}

/* h = golden_h[1, 0]. */
static float *the_h(void)
{
    hs_tensors *ts = golden_open("anime64/golden_h.npy");
    float *all = golden_f32(ts, hs_tensors_at(ts, 0)->name, NULL);
    memmove(all, all + IMAGES * D_H, D_H * sizeof *all);
    hs_tensors_free(ts);
    return all;
}

static double norm(const float *v)
{
    double s = 0;
    for (size_t i = 0; i < D_H; i++) {
        s += (double)v[i] * v[i];
    }
    return sqrt(s);
}

static void check_summary(const char *what, const json_t *want, const hs_deltablock *f, const float *temb,
                          const float *h)
{
    float *dh = malloc(D_H * sizeof *dh), *zero = calloc(D_H, sizeof *zero);
    double size = json_real_value(json_object_get(want, "norm")), largest = 0;
    assert_ok(hs_deltablock_forward(f, 1, shape, h, temb, dh));
    golden_report(what, fabs(norm(dh) - size) / size, 2e-6);
    const json_t *first = json_object_get(want, "first8");
    double top = json_real_value(json_object_get(want, "max"));
    for (size_t i = 0; i < 8; i++) {
        largest = fmax(largest, fabs(dh[i] - json_real_value(json_array_get(first, i))) / top);
    }
    golden_report("  first eight", largest, 2e-6);
    assert_ok(hs_deltablock_forward(f, 1, shape, zero, temb, dh));
    double f0 = json_real_value(json_object_get(want, "norm_f0"));
    golden_report("  at h = 0", fabs(norm(dh) - f0) / f0, 2e-6);
    free(dh), free(zero);
}

static void test_six_networks(void **state)
{
    (void)state;
    need_shared("golden-stats/ft.json");
    json_t *root = json_load_file(shared_data("golden-stats/ft.json"), 0, NULL);
    json_t *nets = json_object_get(root, "nets"), *summary = json_object_get(root, "summary");
    float *h = the_h(), temb[TEMB];
    assert_int_equal(json_array_size(nets), 6);
    for (size_t i = 0; i < 6; i++) {
        const char *name = json_string_value(json_array_get(nets, i)), *key;
        hs_deltablock *f = network(name);
        json_t *by_net;
        json_object_foreach(summary, key, by_net)
        {
            int t = atoi(key), none = strcmp(key, "none") == 0;
            char what[64];
            hs_time_embedding(1, &t, TEMB, 0, 1, temb);
            snprintf(what, sizeof what, "%.20s t %s", name, key);
            check_summary(what, json_object_get(by_net, name), f, none ? NULL : temb, h);
        }
        hs_deltablock_free(f);
    }
    free(h);
    json_decref(root);
}

static void test_whole_array(void **state)
{
    (void)state;
    need_shared("golden-stats/dh_smiling_t500.npy");
    hs_tensors *ts = golden_open("golden-stats/dh_smiling_t500.npy");
    hs_deltablock *f = network("smiling_LC_CelebA_HQ");
    float *h = the_h(), *dh = malloc(D_H * sizeof *dh), temb[TEMB];
    int t = 500;
    hs_time_embedding(1, &t, TEMB, 0, 1, temb);
    assert_ok(hs_deltablock_forward(f, 1, shape, h, temb, dh));
    golden_check(ts, hs_tensors_at(ts, 0)->name, 0, D_H, dh, 2e-6);
    hs_tensors_free(ts);
    hs_deltablock_free(f);
    free(h), free(dh);
}

static double cosine(const float *a, const float *b, size_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

/* The two released networks of the ADM type: 790016 parameters, and the cosines of their convolutions that numpy gave
 * (three digits). */
static void test_adm_networks(void **state)
{
    (void)state;
    need_shared("asyrp-dh/dog_happy_LC_dog.pth");
    hs_deltablock *dog = network("dog_happy_LC_dog"), *face = network("metface_smiling_LC_metfaces");
    size_t count;
    const float *a = hs_deltablock_theta(dog, &count), *b = hs_deltablock_theta(face, &count);
    assert_int_equal(count, 790016);
    for (size_t i = 0; i < hs_deltablock_param_count(dog); i++) {
        hs_deltablock_param p = hs_deltablock_param_at(dog, i);
        double c = cosine(a + p.offset, b + p.offset, p.count);
        if (p.kernel) {
            assert_near(c, strcmp(p.name, "in_layers.2.weight") == 0 ? 0.937 : 0.942, 5e-4);
        }
    }
    hs_deltablock_free(dog), hs_deltablock_free(face);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_six_networks),
        cmocka_unit_test(test_whole_array),
        cmocka_unit_test(test_adm_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
