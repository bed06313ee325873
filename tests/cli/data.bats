#!/usr/bin/env bats
# info, import, export, similarity, plot; and the spine on a random network.

load support

M="--model random:tiny"

@test "info --archs lists them; info of a model" {
    "$HSPACE" info --archs --json | jq -e '[.results.archs[].name] | index("anime64") != null and index("tiny") != null'
    "$HSPACE" info random:tiny --json >m.json
    jq -e '.results | .kind == "model" and .image == [3, 16, 16] and .h == [64, 4, 4] and .T == 1000 and .prediction == "epsilon"' m.json
    jq -e '.results | (.skips | length) > 0 and .schedule == "linear" and (.sha256 | length) == 64 and .params > 1000' m.json
    fails 2 'usage' "$HSPACE" info
    fails 5 '^hspace: none.h5: ' "$HSPACE" info none.h5
    echo hello >junk
    fails 3 '^hspace: junk' "$HSPACE" info junk
}

@test "dump, info, export: the store says what it is, and its arrays come out" {
    "$HSPACE" dump $M -N 3 --timesteps 900,500,100 -q -o a.h5
    "$HSPACE" info a.h5 --json >i.json
    jq -e '.results | .kind == "activations" and .n == 3 and .timesteps == [900, 500, 100] and .h == [64, 4, 4]' i.json
    jq -e '.results | .dtype == "float32" and .sealed and .units_committed == .units_total and (.content_sha256 | length) == 64' i.json
    "$HSPACE" export a.h5 --t 500 -q -o h.npy
    "$HSPACE" info h.npy --json | jq -e '.results.tensors[0].shape == [3, 64, 4, 4]'
    "$HSPACE" export a.h5 -q -o h.safetensors
    "$HSPACE" info h.safetensors --json | jq -e '.results.tensors[0] | .name == "h" and .shape == [3, 3, 64, 4, 4]'
    "$HSPACE" export a.h5 --t 900 -q -o h.csv
    [ "$(wc -l <h.csv)" -eq 3 ]
    [ "$(head -1 h.csv | tr ',' '\n' | wc -l)" -eq 1024 ]
    fails 2 'no timestep 7' "$HSPACE" export a.h5 --t 7 -q -o z.npy
    fails 2 "^hspace: --what: 'bogus' is unknown" "$HSPACE" export a.h5 --what bogus -q -o z.npy
}

@test "import and export give back what went in" {
    "$HSPACE" dump $M -N 3 --timesteps 900,500 -q -o a.h5
    "$HSPACE" export a.h5 -q -o h.npy
    "$HSPACE" import h.npy --t 900,500 -q -o b.h5
    "$HSPACE" export b.h5 -q -o again.npy
    cmp h.npy again.npy
    "$HSPACE" info b.h5 --json | jq -e '.results.timesteps == [900, 500] and .results.n == 3'
    "$HSPACE" import h.npy --kind deltas --t 900,500 -q -o d.h5
    "$HSPACE" export d.h5 --what delta_h -q -o d.npz
    "$HSPACE" import a.h5 -q -o c.h5 # plain HDF5 by array name, with its timesteps
    "$HSPACE" info c.h5 --json | jq -e '.results.timesteps == [900, 500]'
    fails 2 '^hspace: --t: 3 timesteps for 2' "$HSPACE" import h.npy --t 3,2,1 -q -o z.h5
    fails 2 '^hspace: --labels: ' "$HSPACE" import h.npy --labels x.csv -q -o z.h5
    [ ! -e z.h5 ]
}

@test "similarity: one of a thing with itself, undefined is null with a reason" {
    "$HSPACE" dump $M -N 8 --timesteps 900,100 -q -o a.h5
    "$HSPACE" export a.h5 --t 900 -q -o x.npy
    "$HSPACE" export a.h5 --t 100 -q -o y.npy
    for metric in cosine cka procrustes rsa; do
        "$HSPACE" similarity x.npy x.npy --metric $metric --json | jq -e '.results.value - 1 | fabs < 1e-6'
        "$HSPACE" similarity x.npy y.npy --metric $metric --json | jq -e '.results.value < 0.99999 and .results.n == 8'
    done
    "$HSPACE" similarity a.h5 a.h5 --metric cka --json | jq -e '[.results.steps[].t] == [900, 100]'
    "$HSPACE" similarity a.h5 a.h5 --metric cka --t 100 --json >s.json
    jq -e '[.results.statistics[].name] == ["cka_debiased", "cka_biased"]' s.json
    jq -e '.results.statistics[0] | has("ci") and has("n") and has("estimator")' s.json
    "$HSPACE" import x.npy --kind deltas --t 5 -q -o d.h5
    "$HSPACE" dump $M -N 2 --timesteps 900 -q -o two.h5
    "$HSPACE" similarity two.h5 two.h5 --metric cka --json -q | jq -e '.results.value == null and (.results.reason | length) > 0'
    fails 2 '8 and 2 rows; wanted the same images' "$HSPACE" similarity a.h5 two.h5 --metric cka -q
    fails 2 'no timestep 7 in common' "$HSPACE" similarity a.h5 a.h5 --metric cka --t 7
    fails 2 "^hspace: --metric: 'mine' is unknown; wanted cosine" "$HSPACE" similarity a.h5 a.h5 --metric mine
}

@test "the spine: dump, pca, random direction, sweep, linearity, figures" {
    "$HSPACE" dump $M -N 16 --steps 3 -q -o acts.h5
    "$HSPACE" pca acts.h5 -k 2 -q -o pca.h5
    "$HSPACE" direction random --like pca.h5:pc0 -q -o r.h5
    "$HSPACE" sweep $M --steps 3 --direction pca.h5:pc0 --strengths -1:1:0.25 -N 4 --null 3 -q -o sw.h5 --strip strip.png
    rc=0
    "$HSPACE" linearity --sweep sw.h5 -q --json -o lin.h5 --plot lin.svg >l.json || rc=$?
    [ "$rc" -eq "$(jq 'if .results.verdict == "holds" then 0 elif .results.verdict == "fails" then 10 else 11 end' l.json)" ]
    jq -e '.results | .property == "linearity" and .direction == "pc0" and .readout == "x0" and (.exploratory | length) == 1' l.json
    head -c 5 lin.svg | grep -q '<?xml'
    "$HSPACE" plot sw.h5 -q -o sw.png
    file sw.png | grep -q PNG
    "$HSPACE" similarity pca.h5:pc0 r.h5:0 --metric cosine -q -o sim.h5
    "$HSPACE" plot sim.h5 -q -o sim.svg
    fails 2 'pc0, pc1' "$HSPACE" sweep $M --direction pca.h5 -N 1 -q -o z.h5
}
