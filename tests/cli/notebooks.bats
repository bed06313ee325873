#!/usr/bin/env bats
# The notebooks run from end to end on a small demo; none is committed with outputs.
load support

@test "no notebook has outputs" {
    for f in "$BATS_TEST_DIRNAME"/../../notebooks/*.ipynb; do
        jq -e '[.cells[] | select(.cell_type == "code") | (.outputs == [] and .execution_count == null)] | length > 1 and all' "$f"
    done
}

@test "the notebooks run headless by jupyter, and hspace reads what the third one writes" {
    /usr/bin/python3 -c 'import nbconvert, ipykernel, h5py, numpy, matplotlib' 2>err.txt || skip "no jupyter with h5py and matplotlib"
    mkdir demo
    printf 'file,on\n' >l.csv
    for i in $(seq 0 20); do echo "$i,$((i % 2))"; done >>l.csv
    "$HSPACE" dump --model random:tiny --steps 3 -N 21 -q -o demo/acts.h5
    "$HSPACE" pca demo/acts.h5 -k 3 -q -o demo/pca.h5
    "$HSPACE" direction mean-diff demo/acts.h5 --labels l.csv --attr on -q -o d.h5
    "$HSPACE" verify --model random:tiny -D d.h5 -N 6 --steps 3 --null 2 --controls none --arms none -q -o demo/verify/ 2>err.txt || [[ $? =~ ^1[01]$ ]]
    cp "$BATS_TEST_DIRNAME"/../../notebooks/*.ipynb .
    export HSPACE_DEMO="$PWD/demo" MPLBACKEND=agg IPYTHONDIR="$PWD/ipython" JUPYTER_CONFIG_DIR="$PWD/jupyter"
    for f in *.ipynb; do
        timeout 120 /usr/bin/python3 -m nbconvert --to notebook --execute --output "ran-$f" "$f" >log.txt 2>&1 || { tail -20 log.txt; false; }
    done
    rc=0
    "$HSPACE" linearity --effects effects.csv --json >own.json || rc=$?
    [ "$rc" -eq 11 ]
    jq -e '.results.reason | test("null missing")' own.json
    jq -e '.results.statistics[] | select(.name == "slope") | .value != null' own.json
    "$HSPACE" sweep --model random:tiny --direction d.h5 --strengths=-1,0,1 --readout probe:warmth.npy -N 2 --steps 3 -q -o warm.h5
}
