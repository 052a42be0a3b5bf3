package objects

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	rt "github.com/ichor-go/ichor/runtime"
)

// corpus returns the documents that come with the Go toolchain.
func corpus(t *testing.T) map[string][]byte {
	t.Helper()
	if goruntime.GOOS == "js" {
		t.Skip("SKIPPED: the documents come with Go, and no program can be started here to ask where that is")
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	must0(t, err)
	names, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "src/encoding/json/internal/jsontest/testdata/*.json.zst"))
	must0(t, err)
	if len(names) == 0 {
		t.Fatal("this toolchain has no documents: Go 1.26 has")
	}
	docs := map[string][]byte{}
	for _, name := range names {
		short := strings.TrimSuffix(filepath.Base(name), ".json.zst")
		if raceEnabled && short != "twitter_status" && !strings.HasPrefix(short, "string_") {
			continue // runs at a tenth of the speed
		}
		f, err := os.Open(name)
		must0(t, err)
		z, err := zstd.NewReader(f)
		must0(t, err)
		docs[short], err = io.ReadAll(z)
		must0(t, errors.Join(err, f.Close()))
		z.Close()
	}
	return docs
}

// normal returns the text without insignificant space, with strings in their
// shortest quoting, and with numbers as they are.
func normal(t rapid.TB, text []byte) []byte {
	t.Helper()
	v := jsontext.Value(bytes.Clone(text))
	must0(t, v.Format())
	return v
}

func TestCorpus(t *testing.T) {
	docs := corpus(t)
	aloneInModes(t, func(t *testing.T, o rt.Options) {
		for name, doc := range docs {
			want := normal(t, doc)
			for _, immortal := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/immortal=%v", name, immortal), func(t *testing.T) {
					clean(t, o, func(th *rt.Thread) {
						r, err := FromJSON(th, bytes.NewReader(doc), JSONOptions{Immortal: immortal})
						must0(t, err)
						got, err := AppendJSON(th, nil, r)
						must0(t, err)
						if !bytes.Equal(got, want) {
							i := 0
							for i < min(len(got), len(want)) && got[i] == want[i] {
								i++
							}
							t.Errorf("byte %d: got %.40q, want %.40q", i, got[i:], want[i:])
						}
						m := th.Runtime().Memory()
						if r.ImmortalByAddress() != immortal || immortal != (m.Immortals > 0) {
							t.Errorf("%s; %+v", r, m)
						}
						if immortal && (m.Objects > 0 || m.Blocks > 0 || core.Interned(th.Runtime()).Size() > 0) {
							t.Errorf("a document born immortal leaves something on the counted heap: %+v", m)
						}
						audit(t, th, r)
						th.DecRef(r)
					})
				})
			}
		}
	})
}

// jsonDoc draws documents of every shape.
func jsonDoc() *rapid.Generator[string] {
	quoted := rapid.Map(rapid.String(), func(s string) string { return string(must(jsontext.AppendQuote(nil, s))) })
	scalar := rapid.OneOf(quoted, rapid.SampledFrom([]string{"null", "true", "false", "-0", "1e400", "1.50", "{}", "[]"}),
		rapid.Map(rapid.Int64(), func(v int64) string { return fmt.Sprint(v) }))
	var doc func(depth int) *rapid.Generator[string]
	doc = func(depth int) *rapid.Generator[string] {
		if depth == 0 {
			return scalar
		}
		return rapid.Custom(func(t *rapid.T) string {
			n := rapid.IntRange(0, 12).Draw(t, "n")
			var parts []string
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				return scalar.Draw(t, "scalar")
			case 1:
				for range n {
					parts = append(parts, doc(depth-1).Draw(t, "item"))
				}
				return "[" + strings.Join(parts, ",") + "]"
			}
			for _, name := range rapid.SliceOfNDistinct(quoted, 0, n, rapid.ID).Draw(t, "names") {
				parts = append(parts, name+":"+doc(depth-1).Draw(t, "value"))
			}
			return "{" + strings.Join(parts, ",") + "}"
		})
	}
	return doc(4)
}

func TestJSONRoundTrip(t *testing.T) {
	forAllModes(t, func(t *testing.T, o rt.Options) {
		o.AddressSpace = smallSpace
		rapid.Check(t, func(t *rapid.T) {
			doc := jsonDoc().Draw(t, "doc")
			immortal := rapid.Bool().Draw(t, "immortal")
			clean(t, o, func(th *rt.Thread) {
				r := parse(t, th, doc, JSONOptions{Immortal: immortal})
				if got := must(AppendJSON(th, nil, r)); string(got) != doc {
					t.Fatalf("a document is not written as it was read")
				}
				audit(t, th, r)
				th.DecRef(r)
			})
		})
	})
}

// equalGraphs compares two graphs, dicts in their order.
func equalGraphs(th *rt.Thread, a, b rt.Ref) bool {
	if th.TypeOf(a) != th.TypeOf(b) {
		return false
	}
	switch th.TypeOf(a).ID() {
	case rt.TypeList:
		x, y := List(a), List(b)
		for i := range max(x.Len(th), y.Len(th)) {
			v, ok := x.At(th, i)
			w, ok2 := y.At(th, i)
			if !ok || !ok2 || !equalGraphs(th, v, w) {
				return false
			}
		}
		return true
	case rt.TypeDict:
		x, y := Dict(a).Snapshot(th, nil), Dict(b).Snapshot(th, nil)
		defer th.DecRefs(x)
		defer th.DecRefs(y)
		for i := range max(len(x), len(y)) {
			if i >= len(x) || i >= len(y) || !equalGraphs(th, x[i], y[i]) {
				return false
			}
		}
		return true
	}
	return sameKey(th, a, b)
}
