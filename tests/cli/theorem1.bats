#!/usr/bin/env bats
# Theorem 1: the closed form, its published-schedule table, the identity on networks.
load support

@test "theorem1: the 25 entries of the table, every printed digit" {
    local at='200 400 500 700 900' S row
    while read -r S row; do
        "$HSPACE" theorem1 --steps "$S" --json >t.json
        for t in $at; do
            jq -r --argjson t "$t" '.results.coefficients | min_by(.t - $t | fabs) | "\(.symmetric) \(.asymmetric)"' t.json
        done | awk -v S="$S" '{ x = sprintf((S == 1000 ? "%.4f" : "%.3f"), $1) sprintf("/%.3f", $2)
            r = $2 / $1; x = x sprintf((S >= 100 ? "x%.0f" : "x%.1f"), r); gsub(/-0\./, "-.", x)
            printf "%s%s", (NR > 1 ? " " : ""), x }' >got.txt
        [ "$(cat got.txt)" = "$row" ] || { echo "S=$S: $(cat got.txt)"; echo "wanted: $row"; return 1; }
    done <<'END'
1000 -.0035/-.587x168 -.0045/-.902x199 -.0053/-.965x183 -.0071/-1.004x141 -.0091/-1.009x110
100 -.035/-.600x17 -.046/-.938x20 -.054/-1.012x19 -.073/-1.068x15 -.095/-1.094x12
50 -.071/-.617x8.7 -.094/-.980x10.5 -.111/-1.066x9.6 -.157/-1.152x7.4 -.207/-1.207x5.8
40 -.089/-.625x7.0 -.118/-1.001x8.5 -.146/-1.100x7.5 -.188/-1.182x6.3 -.261/-1.261x4.8
20 -.192/-.673x3.5 -.259/-1.126x4.4 -.313/-1.261x4.0 -.424/-1.415x3.3 -.578/-1.577x2.7
END
}

@test "theorem1: the file holds the closed form of numpy; the last step goes to alpha_bar 1; it is drawn" {
    /usr/bin/python3 -c "import h5py" 2>/dev/null || skip "python3-h5py is absent"
    "$HSPACE" theorem1 --steps 7 --schedule scaled_linear -o t.h5 --json >out.json
    jq -e '.results.coefficients[-1] | .t == 0 and .t_prev == -1 and .symmetric == .asymmetric' out.json
    jq -e '.results | has("identity_error") | not' out.json
    /usr/bin/python3 - <<'END'
import h5py, json, numpy as np
f = h5py.File("t.h5")
ab = np.cumprod(1 - np.linspace(1e-4**.5, 2e-2**.5, 1000)**2)
t = f["timestep"][:]
a, b = ab[t], np.append(ab[t[1:]], 1)
asym = -np.sqrt(1 - a) * np.sqrt(b / a)
assert list(f["t_prev"][:]) == list(t[1:]) + [-1]
assert abs(f["asymmetric"][:] - asym).max() < 1e-12 and abs(f["symmetric"][:] - asym - np.sqrt(1 - b)).max() < 1e-12
got = json.load(open("out.json"))["results"]["coefficients"]
assert [c["symmetric"] for c in got] == list(f["symmetric"][:])
END
    "$HSPACE" theorem1 --steps 50 -q -o a.h5 --plot a.svg
    "$HSPACE" plot t.h5 a.h5 -q -o both.svg
    grep -q "50 steps" both.dat both.svg
    [ -s a.svg ]
}

@test "theorem1: the identity on a trained and on an untrained network" {
    for m in faces-a random:tiny; do
        "$HSPACE" theorem1 --model $m --steps 6 -N 2 --json 2>/dev/null |
            jq -e '.results | .identity_error > 0 and .identity_error < 1e-5 and .coefficient_error < 1e-5'
    done
}

@test "theorem1: what does not fit is refused" {
    fails 2 "no -o" "$HSPACE" theorem1 -q
    fails 2 "--steps" "$HSPACE" theorem1 --steps 1001 -q -o t.h5
    fails 2 "timesteps" "$HSPACE" theorem1 --timesteps 100,200 -q -o t.h5
    fails 2 "" "$HSPACE" theorem1 --arch nothing -q -o t.h5
    fails 5 "" "$HSPACE" theorem1 --model nothing -q -o t.h5
    fails 2 "--plot without -o" "$HSPACE" theorem1 --json --plot t.svg
    [ ! -e t.h5 ]
}
