package browsertest

import (
	"errors"
	"fmt"
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
.pale{color:#bbb;background:#fff} .tiny{font-size:6px} .stiff{user-select:none} .wide{width:1500px} svg{display:block}
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
<svg width="300" height="80" viewBox="0 0 300 80"><rect width="300" height="80" fill="#fff"/><path d="M0 70H300" stroke="#ddd"/><path d="M0 30H300" stroke="#00f"/>
<rect x="0" y="40" width="30" height="12" fill="#07f"/><circle cx="150" cy="14" r="5" fill="#070"/>
<text x="5" y="34" fill="#000">crossed by a line</text><text x="20" y="51" fill="#000">half on a bar</text><text x="152" y="18" fill="#000">on a point</text><text x="5" y="74" fill="#000">on a grid</text></svg>
<p hidden>not there</p>
<details><summary>more</summary>unfolded</details>
`

// alone is a picture with problems that is not in a page.
const alone = `<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100" viewBox="0 0 200 100" style="max-width:100%"><title>not seen</title><rect width="200" height="100" fill="#fff"/>
<text x="150" y="20">out of the picture</text><text x="5" y="50" fill="#ccc">pale</text><text x="5" y="80">first</text><text x="10" y="83">second</text><text x="100" y="50">well</text></svg>`

// Each problem of a bad page is found, in all colours and widths, and nothing else.
func TestLook(t *testing.T) {
	defer func(was time.Duration) { patience = was }(patience)
	patience = 100 * time.Millisecond
	browser := Find(t)
	for scheme := range schemes {
		looks, err := see(t.Context(), browser, t.TempDir(), scheme, []Page{
			{Name: "bad", Handler: HTML([]byte(bad)), Figures: 3, Steps: []Step{{Name: "waits in vain", Wait: "body > section"}}},
			{Name: "alone", Handler: SVG([]byte(alone)), Figures: 1},
		})
		if errors.Is(err, errNoStart) {
			t.Skipf("SKIPPED: %v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(looks) != 3*len(widths) {
			t.Fatalf("%d looks", len(looks))
		}
		for _, l := range looks {
			want := []string{
				`"above one" and "below one" overlap`, `"cut short in the middle" is cut off`, `"longer than its box" leaves its box`,
				`"pale on white" has a contrast of `, `"tiny" is `, `"stiff" cannot be selected`, "it scrolls sideways: ", "it does not adapt to the width of a phone",
				`"out of the figure" leaves its figure`, `"hidden" is covered by <rect`, "2 figures have texts, want 3",
				`"crossed by a line" is crossed by <path d="M0 30H300"`, `"half on a bar" lies half on <rect x="0" y="40"`, `"on a point" lies half on <circle`,
			}
			if l.Step != "" {
				want = append(want, "body > section is missing")
			}
			if l.Page == "alone" {
				want = []string{`"out of the picture" leaves its figure`, `"pale" has a contrast of `, `"first" and "second" overlap`}
			}
			compare(t, fmt.Sprintf("%s%s, %s, %d px", l.Page, l.Step, scheme, l.Width), l.Problems, want)
		}
	}
}

// compare fails the test if a problem was not found, or another one was. Those that follow from the planted
// ones count as planted: one text covers another, and one lies on other paper.
func compare(t *testing.T, name string, found, want []string) {
	t.Helper()
	for _, w := range want {
		i := slices.IndexFunc(found, func(p string) bool { return strings.HasPrefix(p, w) })
		if i < 0 {
			t.Errorf("%s: %q was not found", name, w)
			continue
		}
		found = slices.Delete(found, i, i+1)
	}
	for _, p := range found {
		if !strings.Contains(p, "above one") && !strings.Contains(p, "below one") && !strings.HasPrefix(p, `"out of the`) && !strings.Contains(p, `"first"`) && !strings.HasPrefix(p, `"hidden" lies`) {
			t.Errorf("%s: found in vain: %s", name, p)
		}
	}
}
