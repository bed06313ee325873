#!/usr/bin/env bats
# A dump in shards: the same content as in one piece, from wherever it is read, and never with a hole in it.
load support

M="--model random:tiny --steps 4 --batch 2"

# The tests run inside of no cluster job, whatever they are started in.
unset ${!SLURM_*} ${!OMPI_*} ${!PMI_*}

content() { "$HSPACE" info "$1" --json | jq -r .results.content_sha256; }
shards() { # shards N OPTIONS...
    local n=$1 i
    shift
    for ((i = n - 1; i >= 0; i--)); do
        "$HSPACE" dump $M "$@" --shard $i/$n -q -o acts.h5
    done
}

@test "shards in any order, their index and one file of them have the content of the whole" {
    "$HSPACE" dump $M -N 11 --keep x_T,x_0,eps -q -o whole.h5
    shards 3 -N 11 --keep x_T,x_0,eps
    [ "$(ls acts.shards | grep -cE '^[0-9a-f]{8}-0000[012]-of-00003.h5$')" -eq 3 ]
    "$HSPACE" merge acts.shards/*.h5 -q -o one.h5
    "$HSPACE" merge acts.h5 -q -o two.h5
    for f in acts.h5 one.h5 two.h5; do
        [ "$(content $f)" = "$(content whole.h5)" ]
    done
    "$HSPACE" info acts.h5 --json | jq -e '.results | .kind == "activations" and .n == 11 and .shards == 3'
    "$HSPACE" info one.h5 --json | jq -e '.results.shards == 1'
    "$HSPACE" dump $M -N 11 --keep x_T,x_0,eps -q -o one.h5 # is that dump, already done
    "$HSPACE" dump $M -N 11 --keep x_T,x_0,eps --shard 1/3 -o acts.h5 --json 2>/dev/null |
        jq -e '.results.computed == 0 and .results.index == "acts.h5" and .params.shard_by == "--shard"'
}

@test "images to be inverted: each shard starts from its own" {
    "$HSPACE" sample $M -N 5 -q -o in/
    "$HSPACE" dump $M --images in -q -o whole.h5
    shards 2 --images in
    [ "$(content acts.h5)" = "$(content whole.h5)" ]
}

@test "what reads a store reads its index: the same numbers" {
    "$HSPACE" dump $M -N 8 -q --keep eps -o whole.h5
    shards 4 -N 8 --keep eps
    printf 'image,glad\n' >l.csv
    for i in 0 1 2 3 4 5 6 7; do printf '%d,%d\n' $i $((i % 2)) >>l.csv; done
    for f in whole acts; do
        "$HSPACE" pca $f.h5 -k 3 -q -o p-$f.h5
        "$HSPACE" pca $f.h5 -k 2 --scope trajectory --space eps -q -o e-$f.h5
        "$HSPACE" direction mean-diff $f.h5 --labels l.csv --attr glad -q -o d-$f.h5
        "$HSPACE" export $f.h5 --what h -q -o $f.npy
        "$HSPACE" similarity $f.h5 whole.h5 --metric cka --json | jq -c .results >s-$f.json
        for d in p e d; do
            what=delta_h
            [ $d = e ] && what=delta_eps
            "$HSPACE" export $d-$f.h5 --what $what -q -o $d-$f.npy
        done
    done
    for d in p e d; do cmp $d-whole.npy $d-acts.npy; done
    cmp whole.npy acts.npy
    diff s-whole.json s-acts.json
    "$HSPACE" report acts.h5 p-acts.h5 -q -o r.html
}

@test "the place in a Slurm array, srun or mpirun says which shard; --shard wins" {
    run_as() { env "$@" "$HSPACE" dump $M -N 8 -n --json -o a.h5 2>/dev/null |
        jq -c '.params | [.shard, .shards, .shard_by]'; }
    [ "$(run_as A=1)" = '[0,1,null]' ]
    [ "$(run_as SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_COUNT=4 SLURM_PROCID=0 SLURM_NTASKS=1)" = '[2,4,"SLURM_ARRAY_TASK_ID"]' ]
    [ "$(run_as SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=4)" = '[3,4,"SLURM_ARRAY_TASK_ID"]' ]
    [ "$(run_as SLURM_PROCID=1 SLURM_NTASKS=3 OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=2)" = '[1,3,"SLURM_PROCID"]' ]
    [ "$(run_as OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2)" = '[1,2,"OMPI_COMM_WORLD_RANK"]' ]
    [ "$(run_as PMI_RANK=3 PMI_SIZE=4)" = '[3,4,"PMI_RANK"]' ]
    [ "$(SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_COUNT=4 "$HSPACE" dump $M -N 8 --shard 1/2 -n --json -o a.h5 2>/dev/null |
        jq -c '.params | [.shard, .shards, .shard_by]')" = '[1,2,"--shard"]' ]
    OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 "$HSPACE" dump $M -N 4 -o a.h5 2>&1 |
        grep -q 'shard 1 of 2, by OMPI_COMM_WORLD_RANK'
    fails 2 '^hspace: SLURM_ARRAY_TASK_ID: ' env SLURM_ARRAY_TASK_ID=x SLURM_ARRAY_TASK_COUNT=4 "$HSPACE" dump $M -N 8 -o b.h5
    # A part of an array, submitted again, is no array of its own.
    fails 2 'wanted one from 0 or 1 on' env SLURM_ARRAY_TASK_ID=5 SLURM_ARRAY_TASK_COUNT=2 SLURM_ARRAY_TASK_MIN=3 \
        SLURM_ARRAY_TASK_MAX=5 "$HSPACE" dump $M -N 8 -o b.h5
    for bad in 3/3 -1/3 1 1/ /2 a/b 0/0 1/2/3 0/100000; do
        fails 2 '^hspace: --shard: ' "$HSPACE" dump $M -N 8 --shard=$bad -o b.h5
    done
    fails 2 'at most 4 of them' "$HSPACE" dump $M -N 8 --shard 0/5 -q -o b.h5
    [ ! -e b.h5 ] && [ ! -e b.shards ]
}

@test "other parameters, or another number of shards: exit 2, nothing is touched" {
    "$HSPACE" dump $M -N 8 --shard 0/2 -q -o acts.h5
    sum=$(find . -name '*.h5' -exec sha256sum {} +)
    fails 2 'base_seed is 0 there, 1 here' "$HSPACE" dump $M -N 8 --seed 1 --shard 0/2 -q -o acts.h5
    fails 2 'whole_n is 8 there' "$HSPACE" dump $M -N 10 --shard 0/2 -q -o acts.h5
    fails 2 'shards of 2, here they are of 4' "$HSPACE" dump $M -N 8 --shard 0/4 -q -o acts.h5
    [ "$(find . -name '*.h5' -exec sha256sum {} +)" = "$sum" ]
    "$HSPACE" dump $M -N 8 --shard 1/2 -q -o acts.h5
    sum=$(sha256sum acts.h5)
    fails 2 'base_seed is 0 there, 1 here' "$HSPACE" dump $M -N 8 --seed 1 --shard 0/2 -q -o acts.h5
    fails 2 'is the index of 2 shards' "$HSPACE" dump $M -N 8 -q -o acts.h5
    fails 2 'is the index of 2 shards' "$HSPACE" merge acts.shards/*.h5 -q -o acts.h5
    [ "$(sha256sum acts.h5)" = "$sum" ]
    "$HSPACE" merge acts.shards/*.h5 -f -q -o acts.h5
    "$HSPACE" info acts.h5 --json | jq -e '.results.shards == 1'
    fails 2 'use -f' "$HSPACE" dump $M -N 8 --shard 0/2 -q -o acts.h5
}

@test "merge refuses a set that isn't whole; the index comes of the last shard, or of merge --index" {
    fails 2 'no shards there' "$HSPACE" merge -q -o acts.h5
    shards 3 -N 8
    cp acts.h5 first.h5
    rm acts.h5
    set -- acts.shards/*.h5
    fails 2 'one of 3 shards, but 2' "$HSPACE" merge "$1" "$3" -q -o one.h5
    fails 2 'twice' "$HSPACE" merge "$1" "$3" "$3" -q -o one.h5
    "$HSPACE" dump $M -N 8 -q -o plain.h5
    fails 2 'no shard of a dump' "$HSPACE" merge plain.h5 -q -o one.h5
    [ ! -e one.h5 ]
    "$HSPACE" merge --index -q -o acts.h5
    "$HSPACE" merge --index -q -o acts.h5 # is there
    [ "$(content acts.h5)" = "$(content first.h5)" ]
    mkdir sub
    fails 2 "doesn't lie in the folder of its index" "$HSPACE" merge --index "$@" -q -o sub/acts.h5
    fails 2 'plain.h5: exists and' "$HSPACE" merge --index "$@" -q -o plain.h5
}

@test "a missing shard is refused; a file of its name in the current folder isn't taken for it" {
    shards 2 -N 8
    set -- acts.shards/*.h5
    mkdir away
    cp "$2" away/
    mv "$2" gone.h5
    for run in "info acts.h5" "pca acts.h5 -q -o p.h5" "export acts.h5 --what h -q -o h.npy" "merge acts.h5 -q -o one.h5"; do
        fails 3 "acts.h5: an index without its shards: .*00001-of-00002.h5" "$HSPACE" $run
    done
    mkdir -p elsewhere/acts.shards
    cp away/* elsewhere/acts.shards/
    cp away/* elsewhere/
    (cd elsewhere && fails 3 'without its shards' "$HSPACE" info ../acts.h5)
    "$HSPACE" dump $M -N 8 --seed 5 -q -o other.h5
    cp other.h5 "$2"
    fails 3 'without its shards' "$HSPACE" info acts.h5
    cp "$1" "$2"
    fails 3 'without its shards' "$HSPACE" info acts.h5
    cp gone.h5 "$2"
    "$HSPACE" info acts.h5 >/dev/null
    python=/usr/bin/python3
    $python -c "import h5py" 2>/dev/null || skip "python3-h5py is absent"
    rm "$2"
    (cd elsewhere && rm -r ./* && $python - <<'END'
import h5py, numpy as np
f = h5py.File("../acts.h5")
assert np.isnan(f["h"][4:]).all() and not np.isnan(f["h"][:4]).any()
assert (f["crc32c"][4:] == 0).all() and (f["crc32c"][:4] != 0).all()
END
    )
}

@test "a moved and renamed folder works, also through a link" {
    mkdir here
    (cd here && shards 2 -N 8)
    want=$(content here/acts.h5)
    mv here there
    mv there/acts.h5 there/new.h5
    [ "$(content there/new.h5)" = "$want" ]
    ln -s there/new.h5 link.h5
    [ "$(content link.h5)" = "$want" ]
    [ "$(cd / && content "$BATS_TEST_TMPDIR/there/new.h5")" = "$want" ]
}

@test "h5py and both engines of xarray open the index from any folder" {
    python=/usr/bin/python3
    $python -c "import h5py, numpy" 2>/dev/null || skip "python3-h5py is absent"
    "$HSPACE" dump $M -N 7 --keep x_T,x_0,eps -q -o whole.h5
    shards 3 -N 7 --keep x_T,x_0,eps
    mkdir -p moved/deep
    mv acts.h5 acts.shards moved/
    cd moved/deep
    $python - <<'END'
import h5py, numpy as np
a, w = h5py.File("../acts.h5"), h5py.File("../../whole.h5")
assert a.attrs["hspace_kind"] == "index" and a["h"].is_virtual
assert a.attrs["hspace_store_id"] == w.attrs["hspace_store_id"]
for k in w:
    if k != "provenance":
        assert np.array_equal(a[k][...], w[k][...]), k
try:
    import xarray
except ImportError:
    xarray = None
for e in ("h5netcdf", "netcdf4") if xarray else ():
    d = xarray.open_dataset("../acts.h5", engine=e)
    assert dict(d.h.sizes) == {"sample": 7, "timestep": 4, "channel": 64, "y": 4, "x": 4}, e
    assert np.array_equal(d.h.sel(sample=5, timestep=0).values, w["h"][5, 3]), e
END
}

@test "kill -9 of shards at random times: each goes on, the content is that of the whole" {
    "$HSPACE" dump $M -N 60 -q -o whole.h5
    for i in $(seq 1 "${HSPACE_KILLS:-6}"); do
        for k in 0 1; do
            "$HSPACE" dump $M -N 60 --shard $k/2 -q -o acts.h5 >/dev/null 2>&1 &
            pids[k]=$!
        done
        sleep "0.$(printf '%03d' $((RANDOM % 300)))"
        kill -9 "${pids[@]}" 2>/dev/null || true
        wait || true
    done
    shards 2 -N 60
    [ "$(content acts.h5)" = "$(content whole.h5)" ]
    [ "$(ls acts.shards | grep -vc lock)" -eq 2 ]
}

@test "shards that end together write one index" {
    for k in 0 1 2 3; do
        "$HSPACE" dump $M -N 16 --shard $k/4 -q -o acts.h5 &
    done
    wait
    "$HSPACE" dump $M -N 16 -q -o whole.h5
    [ "$(content acts.h5)" = "$(content whole.h5)" ]
    [ -z "$(find . -name '*.tmp')" ]
}
