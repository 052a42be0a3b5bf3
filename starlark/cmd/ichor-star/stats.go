package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	rt "github.com/ichor-go/ichor/runtime"
)

// showStats prints the objects by type, the memory, and how threads waited.
func showStats(w io.Writer, r *rt.Runtime) {
	s, err := r.ReadStats()
	if err != nil {
		fmt.Fprintln(w, "ichor-star:", err)
		return
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "type\tobjects\tbytes\timmortal\t")
	for _, y := range s.Types {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t\n", y.Type, y.Objects, y.Bytes, y.Born+y.InPlace)
	}
	m := s.Memory
	fmt.Fprintf(t, "committed\t\t%d\t\t\nregions\t%d\t%d\t\t\nblocks\t%d\t%d\t\t\n",
		m.Committed, m.Immortals, m.RegionBytes, m.Blocks, m.BlockBytes)
	_ = t.Flush()
	if s.Operations.Counted {
		fmt.Fprintf(w, "counts: %d owned, %d shared\n", s.Operations.Owned, s.Operations.Shared)
	}
	if r.Mode() == rt.GIL {
		fmt.Fprintf(w, "GIL: %+v\n", s.GIL)
	}
	c := s.Collector
	fmt.Fprintf(w, "collections: %d, freed %d, stopped %s\n", c.Collections, c.Freed, c.Stopped)
}
