package documents

import (
	"bytes"
	"context"
	"fmt"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/internal/jsonpos"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// Build returns a new reference to a document. Attached thread.
func Build(t *rt.Thread, d experiment.Document) (rt.Ref, error) {
	r, err := objects.FromJSON(t, bytes.NewReader(d.Data), objects.JSONOptions{MaxDepth: jsonpos.MaxDepth})
	if err != nil {
		return rt.Nil, fmt.Errorf("%s: %w", d.Name, err)
	}
	return r, nil
}

// BuildAll returns a new reference to the document, or, if there are several, to a dict of
// them by name. Attached thread.
func BuildAll(ctx context.Context, t *rt.Thread, docs []experiment.Document) (rt.Ref, error) {
	build := func(d experiment.Document) (rt.Ref, error) {
		if err := ctx.Err(); err != nil {
			return rt.Nil, err
		}
		return Build(t, d)
	}
	if len(docs) == 1 {
		return build(docs[0])
	}
	all, err := objects.NewDict(t)
	if err != nil {
		return rt.Nil, err
	}
	for _, d := range docs {
		key, err := objects.NewString(t, d.Name)
		if err == nil {
			var v rt.Ref
			if v, err = build(d); err == nil {
				err = objects.Dict(all).Set(t, key, v)
				t.DecRef(v)
			}
			t.DecRef(key)
		}
		if err != nil {
			t.DecRef(all)
			return rt.Nil, err
		}
	}
	return all, nil
}
