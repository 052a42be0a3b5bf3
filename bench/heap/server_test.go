package heap

import (
	"encoding/json"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/bench/page"
	"github.com/ichor-go/ichor/internal/heapgraph"
)

// get asks a handler, and returns the status and the JSON that it answers.
func get(t *testing.T, h http.Handler, host, path string) (status int, body string) {
	t.Helper()
	r := httptest.NewRequest("GET", path, nil)
	r.Host = host
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestAnswers(t *testing.T) {
	before, after, leaked, item := snapshots(t)
	s := &server{v: must(open(after))}
	h := s.handler(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80})
	has := func(path string, status int, parts ...string) string {
		t.Helper()
		code, body := get(t, h, "127.0.0.1:80", path)
		for _, p := range parts {
			if code != status || !strings.Contains(body, p) {
				t.Errorf("%s: status %d, %q is missing in %s", path, code, p, body)
			}
		}
		if !json.Valid([]byte(body)) && path != "/" {
			t.Errorf("%s: no JSON: %s", path, body)
		}
		return body
	}
	has("/", 200, "<!doctype html>", "api/")
	has("/api/info", 200, `"ready":false`, `tried`)
	has("/api/types", 200, `{"type":"tuple","objects":1000,"bytes":32000,"retained":0}`)
	has("/api/treemap?w=9&h=9", 400, `{"error":"retained bytes are not known yet"}`)
	if body := has("/api/search?q=TUP", 200, `"ref":"0x`, `"retained":0`); strings.Count(body, `"tuple"`) != foundObjects {
		t.Errorf("%d tuples were found", strings.Count(body, `"tuple"`))
	}
	s.v.prepare()
	has("/api/info", 200, `"ready":true`)
	has("/api/types", 200, `{"type":"tuple","objects":1000,"bytes":32000,"retained":32000}`)
	if body := has("/api/search?q=i", 200, `"type":"list"`); !strings.HasPrefix(body, `[{"ref":"`+leaked+`","type":"dict"`) {
		t.Errorf("the first found is not what retains most: %s", body)
	}
	has("/api/search?q="+item, 200, `[{"ref":"`+item+`","type":"tuple","bytes":32,"retained":32,"count":1}]`)
	has("/api/search?q=nothing", 200, "[]")
	has("/api/held", 200, `"held":1`, leaked)
	has("/api/object?ref="+leaked, 200, `"holder":"Go code"`, `"refersTotal":2`, `"holdersTotal":0`, `"holders":[]`)
	has("/api/object?ref=0x10", 400, `no object has the reference 0x10`)
	has("/api/treemap?w=100&h=50", 200, `"ref":"`+leaked+`"`, `"around":[]`, `"w":100`)
	has("/api/treemap?w=100&h=50&ref="+leaked, 200, `the object itself`, `"around":[{"ref":"`+leaked+`"`)
	has("/api/treemap?w=100&h=0", 400, `not a number from 1 to 10000`)
	has("/api/treemap?w=100&h=9&ref=x", 400, `not a reference`)
	s.older = must(open(before))
	has("/api/info", 200, `"older":"`, `3 objects in `, `\n→ 1003 objects in `)
	has("/api/types", 200, `{"type":"tuple","objects":1000,"bytes":32000,"retained":32000,"was":{"objects":0,"bytes":0}}`)
	for host, want := range map[string]int{"localhost:80": 200, "127.0.0.1": 200, "[::1]:80": 200, "evil.example:80": 403, "evil.example": 403} {
		if code, body := get(t, h, host, "/api/info"); code != want || strings.Contains(body, "ready") != (want == 200) {
			t.Errorf("host %s: status %d, want %d: %s", host, code, want, body)
		}
	}
	if code, _ := get(t, s.handler(&net.TCPAddr{IP: net.IPv4zero}), "heap.example", "/api/info"); code != 200 {
		t.Errorf("a server for all: status %d", code)
	}
}

// A browser is told what it gets, and to load nothing from elsewhere.
func TestHeaders(t *testing.T) {
	h := (&server{v: heapOf(nil)}).handler(&net.TCPAddr{})
	for path, want := range map[string]string{"/": "text/html; charset=utf-8", "/api/info": "application/json", "/api/treemap": "application/json"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		policy := w.Header().Get("Content-Security-Policy")
		if got := w.Header().Get("Content-Type"); got != want || path == "/" && !strings.HasPrefix(policy, "default-src 'none';") {
			t.Errorf("%s is %s, policy %q", path, got, policy)
		}
	}
}

// The page needs no network but the server's own.
func TestPage(t *testing.T) {
	if found := page.Fetched(pageHTML); found != "" {
		t.Errorf("the page fetches %s", found)
	}
}

// What has no tile of its own is in a tile of its type, and tiles cover the whole.
func TestTreemapRest(t *testing.T) {
	_, after, _, item := snapshots(t)
	v := must(open(after))
	list := v.g.Sources(must(v.find(item)))[0]
	tiles := v.treemap(list, 100, 100)
	var sum int64
	texts := map[string]int{}
	for _, x := range tiles {
		sum += x.Bytes
		texts[strings.Split(x.Text, " 0x")[0]]++
	}
	if sum != v.g.Tree().Retained[list] || texts["tuple"] != objectTiles || texts["850 × tuple"] != 1 || texts["the object itself"] != 1 || len(texts) != 3 {
		t.Errorf("%d bytes of %d in tiles %v", sum, v.g.Tree().Retained[list], texts)
	}
	var whole int64
	for _, x := range v.treemap(heapgraph.None, 10, 10) {
		whole += x.Bytes
	}
	if whole != v.g.Tree().Retained[must(v.find(v.heldByCode(1)[0].Ref))] {
		t.Errorf("the tiles of all objects have %d bytes", whole)
	}
}

// Tiles lie inside, do not overlap, and are as large as their bytes.
func TestSquarify(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := int64(1 << 30)
		var tiles []tile
		var sum float64
		for range rapid.IntRange(1, 30).Draw(t, "tiles") {
			size = rapid.Int64Range(1, size).Draw(t, "bytes")
			tiles = append(tiles, tile{Bytes: size})
			sum += float64(size)
		}
		width, height := rapid.Float64Range(1, 2000).Draw(t, "width"), rapid.Float64Range(1, 2000).Draw(t, "height")
		squarify(tiles, width, height)
		slack := 1e-6 * (width + height)
		for i, a := range tiles {
			want := width * height * float64(a.Bytes) / sum
			if got := a.Width * a.Height; math.Abs(got-want) > 1e-6*width*height || math.IsNaN(got) {
				t.Fatalf("tile %d of %+v has an area of %g, want %g", i, tiles, got, want)
			}
			if a.X < -slack || a.Y < -slack || a.X+a.Width > width+slack || a.Y+a.Height > height+slack {
				t.Fatalf("tile %d of %+v lies outside %g × %g", i, tiles, width, height)
			}
			for _, b := range tiles[:i] {
				if min(a.X+a.Width, b.X+b.Width)-max(a.X, b.X) > slack && min(a.Y+a.Height, b.Y+b.Height)-max(a.Y, b.Y) > slack {
					t.Fatalf("tiles %+v and %+v overlap", a, b)
				}
			}
		}
	})
	// The example of the paper: areas 6, 6, 4, 3, 2, 2 and 1 in a rectangle of 6 × 4.
	tiles := []tile{{Bytes: 6}, {Bytes: 6}, {Bytes: 4}, {Bytes: 3}, {Bytes: 2}, {Bytes: 2}, {Bytes: 1}}
	squarify(tiles, 6, 4)
	for i, want := range [][4]float64{{0, 0, 3, 2}, {0, 2, 3, 2}, {3, 0, 12. / 7, 7. / 3}} {
		if x := tiles[i]; math.Abs(x.X-want[0])+math.Abs(x.Y-want[1])+math.Abs(x.Width-want[2])+math.Abs(x.Height-want[3]) > 1e-9 {
			t.Errorf("tile %d is %+v, want %v", i, x, want)
		}
	}
}
