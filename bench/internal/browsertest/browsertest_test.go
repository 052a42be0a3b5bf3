package browsertest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// bad is a page with one of each problem, and things that only look like problems.
const bad = `<!doctype html>
<style>
:root{color-scheme:light dark} body{margin:8px;font:14px sans-serif}
.pile{position:relative;height:40px} .pile b{position:absolute;left:0;top:0}
.cut{width:60px;height:20px;overflow:hidden;white-space:nowrap}
.short{width:60px;overflow:hidden;white-space:nowrap;text-overflow:ellipsis}
.box{width:60px;white-space:nowrap}
.roll{width:60px;overflow:auto;white-space:nowrap}
.pale{color:#bbb;background:#fff} .tiny{font-size:6px} .stiff{user-select:none} .wide{width:1500px}
</style>
<div class="pile"><b>above one</b><b>below one</b></div>
<p class="cut">cut short in the middle</p>
<p class="short">ends in an ellipsis</p>
<p class="box">longer than its box</p>
<p class="roll">scrolls inside its box</p>
<p class="pale">pale on white</p>
<p class="tiny">tiny</p>
<p class="stiff">stiff</p>
<p class="wide">wide</p>
<svg width="100" height="60" viewBox="0 0 100 60"><rect width="100" height="60" fill="#fff"/><text x="60" y="20" fill="#000">out of the figure</text>
<text x="4" y="50" fill="#000">hidden</text><rect x="0" y="35" width="60" height="20" fill="#fff"/></svg>
<p hidden>not there</p>
<details><summary>more</summary>unfolded</details>
`

// Each problem of a bad page is found, and nothing else.
func TestLook(t *testing.T) {
	defer func(was time.Duration) { patience = was }(patience)
	patience = 100 * time.Millisecond
	looks, err := see(t.Context(), Find(t), t.TempDir(), "dark", []Page{{Name: "bad", Handler: HTML([]byte(bad)), Figures: 2,
		Steps: []Step{{Name: "waits in vain", Wait: "body > section"}}}})
	if errors.Is(err, errNoStart) {
		t.Skipf("SKIPPED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(looks) != 2*len(widths) {
		t.Fatalf("%d looks", len(looks))
	}
	found := looks[1].Problems
	if looks[0].Step != "" || !slices.Contains(found, "body > section is missing") {
		t.Errorf("the step is not among %v", looks)
	}
	for _, want := range []string{
		`"above one" and "below one" overlap`, `"cut short in the middle" is cut off`, `"longer than its box" leaves its box`,
		`"pale on white" has a contrast of `, `"tiny" is `, `"stiff" cannot be selected`, "it scrolls sideways: ", "it does not adapt to the width of a phone",
		`"out of the figure" leaves its figure`, `"hidden" is covered by <rect`, "1 figures have texts, want 2", "body > section is missing",
	} {
		i := slices.IndexFunc(found, func(p string) bool { return strings.HasPrefix(p, want) })
		if i < 0 {
			t.Errorf("%q was not found", want)
			continue
		}
		found = slices.Delete(found, i, i+1)
	}
	for _, p := range found {
		// What follows from the problems above: one text covers another, and one lies on other paper.
		if !strings.Contains(p, "above one") && !strings.Contains(p, "below one") && !strings.HasPrefix(p, `"out of the figure" has a contrast`) {
			t.Errorf("found in vain: %s", p)
		}
	}
}
