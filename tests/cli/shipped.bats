#!/usr/bin/env bats
# The models that ship: their bytes, and what they say.
load support

models=$BATS_TEST_DIRNAME/../../datasets/models

@test "shipped: the hash on a card is the hash of the weights; all of them are small" {
    for m in faces-a/diffusion_pytorch_model faces-b/diffusion_pytorch_model lines-a/diffusion_pytorch_model faces-attr/model lines-attr/model faces-clip/model; do
        sum=$(sha256sum "$models/$m.safetensors" | cut -d' ' -f1)
        grep -q "$sum" "$models/${m%/*}/MODEL_CARD.md" || { echo "$m: $sum is not on its card"; return 1; }
    done
    [ "$(du -sk "$models" | cut -f1)" -le 40960 ]
}

@test "shipped: faces-a gives the eps that diffusers gives" {
    /usr/bin/python3 - "$BATS_TEST_DIRNAME/../support/faces-a_eps.npz" <<'END'
import sys, numpy as np
g = np.load(sys.argv[1])
np.save("x.npy", g["x"]); np.save("eps.npy", g["eps"]); print(",".join(map(str, g["t"])), file=open("t", "w"))
END
    "$HSPACE" eval --model faces-a --x x.npy --t "$(cat t)" -o out.npz -q
    /usr/bin/python3 - <<'END'
import numpy as np
want, got = np.load("eps.npy"), np.load("out.npz")["eps"]
error = abs(got - want).max() / abs(want).max()
print("error", error)
assert error < 5e-5 and want.std() > 0.5 # float32 against float32
END
}

reads_factors() { # STYLE NETWORK
    "$HSPACE" faces -N 200 --first 50000 --seed 7 --size 32 --style "$1" -o "$1/" >/dev/null 2>&1
    "$HSPACE" score "$1/" --attr "$2" -o "$1.csv" -q
    /usr/bin/python3 - "$1" <<'END'
import csv, sys, numpy as np
style = sys.argv[1]
truth, score = (list(csv.DictReader(open(f))) for f in (style + "/attributes.csv", style + ".csv"))
assert len(truth) == len(score) == 200
for name in list(score[0])[1:]:
    a, b = (np.array([float(r[name]) for r in rows]) for rows in (truth, score))
    if set(a) <= {0, 1}:
        assert ((b > 0.5) == (a > 0.5)).mean() >= 0.98, name
    else:
        assert 1 - ((a - b) ** 2).mean() / a.var() >= 0.95, name
END
}

@test "shipped: faces-attr and lines-attr read the factors of faces they never saw" {
    reads_factors paint faces-attr
    reads_factors lines lines-attr
}
