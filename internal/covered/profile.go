package main

import (
	"cmp"
	"fmt"
	"go/token"
	"slices"
	"strings"

	"golang.org/x/tools/cover"
)

// block is a sequence of statements without branches, and how often it ran.
type block struct {
	start, end place
	count      int
}

type place struct{ line, column int }

func (a place) compare(b place) int {
	return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
}

func placeOf(p token.Position) place { return place{p.Line, p.Column} }

// profile maps import paths of files to their blocks. The counts of several test
// binaries are added up.
type profile map[string][]block

func readProfile(path string) (profile, error) {
	files, err := cover.ParseProfiles(path)
	if err != nil {
		return nil, err
	}
	p := profile{}
	for _, f := range files {
		if f.Mode == "set" {
			return nil, fmt.Errorf("%s has no counts: want -covermode=count", path)
		}
		for _, b := range f.Blocks {
			p[f.FileName] = append(p[f.FileName], block{place{b.StartLine, b.StartCol}, place{b.EndLine, b.EndCol}, b.Count})
		}
	}
	return p, nil
}

// of returns the blocks of a file, given its path relative to the module.
func (p profile) of(file string) ([]block, error) {
	for path, blocks := range p {
		if strings.HasSuffix(path, "/"+file) {
			return blocks, nil
		}
	}
	return nil, fmt.Errorf("the profile has no file %s", file)
}

// at returns how often the statement at a place ran: the count of the last block that
// begins there or before.
func at(blocks []block, where place) (count int, ok bool) {
	i, found := slices.BinarySearchFunc(blocks, where, func(b block, w place) int { return b.start.compare(w) })
	if !found {
		i--
	}
	for ; i >= 0; i-- {
		if b := blocks[i]; where.compare(b.end) <= 0 {
			return b.count, true
		}
	}
	return 0, false
}
