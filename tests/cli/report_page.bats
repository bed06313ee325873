#!/usr/bin/env bats
# The report in a browser: nothing wider than the window, no empty figure, at desktop and phone width; and nothing in it
# that loads, runs or tells where the files lay.
load support

page() {
    printf 'file,on\n' >l.csv
    for i in $(seq 0 20); do echo "$i,$((i % 2))"; done >>l.csv
    "$HSPACE" dump --model random:tiny --steps 3 -N 21 -q -o a.h5
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr on -q -o d.h5
    "$HSPACE" verify --model random:tiny -D d.h5 -N 16 --steps 3 --null 2 --controls none --also brightness -q -o "$PWD/v/" 2>err.txt || [[ $? =~ ^1[01]$ ]]
}

@test "the report loads nothing, runs nothing and has no absolute path" {
    page
    p=v/report.html
    ! grep -qiE '<script|javascript:|<iframe|<link|@import|<form' "$p"
    ! grep -qE "(src|href|xlink:href)=[\"'](https?:|//|file:|/)" "$p"
    ! grep -qE 'url\((https?:|//|file:)' "$p"
    ! grep -qF "$PWD" "$p"
    ! grep -qE '(/home/|/tmp/|/root/)' "$p"
    grep -q "default-src 'none'" "$p" && grep -q '@media print' "$p" && grep -q 'prefers-color-scheme: dark' "$p"
}

@test "in a browser nothing overflows and no figure is empty, at 1280 and at 390 pixels" {
    command -v chromium >browser || skip "no chromium"
    page
    cp v/report.html r.html
    cat >look.html <<'X'
<body><iframe id=a src="r.html" style="width:1280px;height:900px;border:0"></iframe>
<iframe id=b src="r.html" style="width:390px;height:800px;border:0"></iframe><pre id=out></pre><script>
addEventListener('load', () => { let t = ''; for (const k of ['a', 'b']) {
  const f = document.getElementById(k), d = f.contentDocument, w = f.clientWidth;
  let figures = 0, empty = 0, wide = '';
  for (const s of d.querySelectorAll('figure svg, figure img')) { figures++; const r = s.getBoundingClientRect();
    empty += r.height < 40 || r.width < 100 || (s.tagName == 'svg' ? s.querySelectorAll('path,polygon,rect').length < 5 : s.naturalWidth < 16); }
  for (const e of d.querySelectorAll('body *')) if (!e.closest('svg') && e.getBoundingClientRect().right > w + 1) wide = e.tagName + ':' + e.textContent.slice(0, 30);
  t += `${w} figures ${figures > 3} empty ${empty} wide ${d.documentElement.scrollWidth > w} ${wide}\n`; }
  document.getElementById('out').textContent = t; });
</script></body>
X
    timeout 60 chromium --headless=new --no-sandbox --disable-gpu --allow-file-access-from-files --user-data-dir="$PWD/profile" \
        --virtual-time-budget=5000 --dump-dom "file://$PWD/look.html" >dom.txt 2>err.txt
    sed -n '/<pre id="out">/,/<\/pre>/p' dom.txt
    grep -q '1280 figures true empty 0 wide false $' dom.txt
    grep -q '390 figures true empty 0 wide false $' dom.txt
}
