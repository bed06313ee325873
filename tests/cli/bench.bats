#!/usr/bin/env bats
# bench: what it reports of a training step and of derivatives, with peers that answer without working.
load support

# A peer that says 1000 s, these parameters and 10 GB; but mode "compile" fails, "channels_last" takes 500 s.
peer() {
    cat >peer.py <<P
import json, sys
for line in sys.stdin:
    q = json.loads(line)
    if q["mode"] == "compile":
        print(json.dumps({"error": "no compiler"}), flush=True)
    else:
        print(json.dumps({"seconds": 500 if q["mode"] == "channels_last" else 1000, "parameters": $1,
                          "peak_rss": 10e9 + len(q["mode"]), "rss_before": 9e9}), flush=True)
P
}

@test "bench --work train: the best peer's time and the least peer's memory over ours" {
    peer 2736099
    "$HSPACE" bench --work train --rounds 1 --peer /usr/bin/python3 --peer-script peer.py -q --json >b.json
    jq -e '.warnings | any(test("compile: .*no compiler"))' b.json
    jq -e '.results.bench[0] | .work == "train" and .arch == "faces-32" and .batch == 32 and .parameters == 2736099' b.json
    jq -e '.results.bench[0] | .peers == {"eager": 1000, "channels_last": 500, "compile": null, "compile_channels_last": 1000}' b.json
    jq -e '.results.bench[0] | (.ratio * .seconds - 500 | fabs) < 1e-6 and (.images_per_second * .seconds - 32 | fabs) < 1e-6' b.json
    jq -e '.results.bench[0] | (.rss_ratio * (10e9 + 5) / .peak_rss_bytes - 1 | fabs) < 1e-9' b.json
    jq -e '.results.bench[0] | (.rss_ratio_grown * (1e9 + 5) / .grown_rss_bytes - 1 | fabs) < 1e-9' b.json
    jq -e '.results.bench[0] | .peak_rss_bytes > .grown_rss_bytes and .grown_rss_bytes > 32 * 3072 * 4 * 10' b.json
}

@test "bench --work train: a peer that trains another network is no peer" {
    peer 2736100
    fails 5 "^hspace: bench: the peer's network has 2736100 parameters, ours 2736099" \
        "$HSPACE" bench --work train --rounds 1 --peer /usr/bin/python3 --peer-script peer.py -q
}

@test "bench --work train without peers; --work jvp" {
    "$HSPACE" bench --work train,jvp --rounds 1 --peer none -q --json >b.json
    jq -e '.results.bench | [.[].work] == ["train", "jvp"] and .[0].ratio == null and .[0].rss_ratio == null' b.json
    jq -e '.results.bench[1] | .tangents == 8 and (.ratio * .decodes_s / .seconds - 1 | fabs) < 1e-9' b.json
    jq -e '.results.bench[1] | (.ratio_single * .single_decodes_s / .seconds - 1 | fabs) < 1e-9' b.json
}

@test "bench --work cka: CKA of unrelated rows, in multiples of two products" {
    "$HSPACE" bench --work cka --rounds 1 --peer none --folder . -q --json >b.json
    jq -e '.results.bench[0] | .n == 3000 and .d == 8192 and (.debiased | fabs) < 0.01 and (.ratio * .two_ssyrk_s / .seconds - 1 | fabs) < 1e-9
        and .peak_rss_bytes < 1e9' b.json
    [ "$(ls | grep -c hspace-bench)" -eq 0 ]
}
