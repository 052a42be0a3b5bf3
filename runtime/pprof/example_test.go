package pprof_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"runtime/pprof"

	"github.com/google/pprof/profile"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
	ichorpprof "github.com/ichor-go/ichor/runtime/pprof"
)

// The labels of a context go into the samples of the threads that are attached with it.
func ExampleWriteHeap() {
	r, err := rt.New(rt.Options{HeapProfileRate: 1}) // each allocation; use rt.DefaultHeapProfileRate
	if err != nil {
		log.Fatal(err)
	}
	pprof.Do(context.Background(), pprof.Labels("tenant", "acme"), func(ctx context.Context) {
		err = r.DoContext(ctx, func(t *rt.Thread) error {
			text, err := objects.NewString(t, "a string of Acme's")
			t.DecRef(text)
			return err
		})
	})
	var file bytes.Buffer
	if err := ichorpprof.WriteHeap(r, &file); err != nil {
		log.Fatal(err)
	}
	p, err := profile.Parse(&file)
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range p.Sample {
		fmt.Println(s.Label["type"], s.Label["tenant"], s.Value[1], p.SampleType[1].Unit)
	}
	if err := r.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: [string] [acme] 48 bytes
}
