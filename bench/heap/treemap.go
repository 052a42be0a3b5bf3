package heap

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/ichor-go/ichor/internal/heapgraph"
)

// tile is a rectangle of a treemap.
type tile struct {
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
	Width  float64 `json:"w"`
	Height float64 `json:"h"`
	Type   string  `json:"type"`
	Ref    string  `json:"ref,omitempty"` // of an object; "" for the rest of a type
	Bytes  int64   `json:"bytes"`         // retained
	Text   string  `json:"text"`
}

// The greatest numbers of tiles: more would be too small to see. The values are guesses.
const (
	objectTiles = 150
	typeTiles   = 40
)

// treemap divides a rectangle among the objects that a node dominates at once, by the bytes that
// they retain. The largest ones have tiles of their own, and the others share one for each type.
// n may be heapgraph.None, for the objects that no object dominates.
func (v *view) treemap(n heapgraph.Node, width, height float64) []tile {
	t := v.g.Tree()
	x := largest{size: func(n heapgraph.Node) int64 { return t.Retained[n] }, most: objectTiles}
	children := t.Children(n)
	for _, c := range children {
		x.add(c)
	}
	own := map[heapgraph.Node]bool{}
	var tiles []tile
	for _, c := range x.sorted() {
		own[c] = true
		h := ref(v.g.Handles[c])
		tiles = append(tiles, tile{Type: v.g.Name(c), Ref: h, Bytes: t.Retained[c], Text: v.g.Name(c) + " " + h})
	}
	type rest struct{ bytes, objects int64 }
	sums := make([]rest, len(v.g.Names))
	for _, c := range children {
		if !own[c] {
			sums[v.g.Kinds[c]].bytes += t.Retained[c]
			sums[v.g.Kinds[c]].objects++
		}
	}
	for k, s := range sums {
		if s.objects > 0 {
			tiles = append(tiles, tile{Type: v.g.Names[k], Bytes: s.bytes, Text: fmt.Sprintf("%d × %s", s.objects, v.g.Names[k])})
		}
	}
	if n != heapgraph.None {
		tiles = append(tiles, tile{Type: v.g.Name(n), Bytes: v.g.Bytes(n), Text: "the object itself"})
	}
	slices.SortStableFunc(tiles, func(a, b tile) int { return cmp.Compare(b.Bytes, a.Bytes) })
	tiles = tiles[:min(len(tiles), objectTiles+typeTiles)]
	squarify(tiles, width, height)
	return tiles
}

// squarify places tiles in a rectangle, so that their areas are as their bytes and their sides of
// about the same length (Bruls, Huizing and van Wijk, "Squarified treemaps", 2000). The tiles are
// in descending order of bytes, which are above 0. It fills the shorter side of what is left with
// a row of tiles, and adds a tile to the row as long as that makes none of them more oblong.
func squarify(tiles []tile, width, height float64) {
	var sum int64
	for _, t := range tiles {
		sum += t.Bytes
	}
	x, y := 0.0, 0.0
	for len(tiles) > 0 {
		scale := width * height / float64(sum) // area of a byte
		side := min(width, height)
		n, bytes := 1, tiles[0].Bytes
		for n < len(tiles) {
			more := bytes + tiles[n].Bytes
			if worst(tiles[:n+1], more, scale, side) > worst(tiles[:n], bytes, scale, side) {
				break
			}
			n, bytes = n+1, more
		}
		depth := float64(bytes) * scale / side // of the row
		at := 0.0
		for i := range tiles[:n] {
			t := &tiles[i]
			length := side * float64(t.Bytes) / float64(bytes)
			if width > height {
				t.X, t.Y, t.Width, t.Height = x, y+at, depth, length
			} else {
				t.X, t.Y, t.Width, t.Height = x+at, y, length, depth
			}
			at += length
		}
		if width > height {
			x, width = x+depth, width-depth
		} else {
			y, height = y+depth, height-depth
		}
		tiles, sum = tiles[n:], sum-bytes
	}
}

// worst returns the greatest ratio of sides in a row with that many bytes.
func worst(row []tile, bytes int64, scale, side float64) float64 {
	depth := float64(bytes) * scale / side
	longest := float64(row[0].Bytes) * scale / depth
	shortest := float64(row[len(row)-1].Bytes) * scale / depth
	return max(longest/depth, depth/shortest)
}
