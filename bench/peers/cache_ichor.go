package main

import (
	"errors"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// ichorCache has the entries as dicts, mortal or frozen.
type ichorCache struct {
	frozen bool
	r      *rt.Runtime
	chunks []objects.Dict
}

// Fields of an entry, in the order of ichorFields.
const (
	fieldID = iota
	fieldStock
	fieldPrice
	fieldName
	fieldBrand
	fieldTags
	fieldCount
)

// ichorFields returns new references to the names of the fields.
func ichorFields(t *rt.Thread) (fields [fieldCount]rt.Ref, err error) {
	for i, name := range [fieldCount]string{"id", "stock", "price", "name", "brand", "tags"} {
		if fields[i], err = objects.NewString(t, name); err != nil {
			t.DecRefs(fields[:i])
			return fields, err
		}
	}
	return fields, nil
}

func (c *ichorCache) build(entries int) (err error) {
	if c.r, err = experiment.NewRuntime(experiment.ModeAtomic); err != nil {
		return err
	}
	return c.r.Do(func(t *rt.Thread) error {
		fields, err := ichorFields(t)
		if err != nil {
			return err
		}
		defer t.DecRefs(fields[:])
		return chunksOf(entries, func(from, to int) error {
			chunk, err := ichorChunk(t, fields, from, to)
			if err == nil && c.frozen {
				var f *rt.Frozen
				f, err = t.Freeze(chunk)
				t.DecRef(chunk)
				if err == nil {
					chunk = f.Root()
				}
			}
			if err == nil {
				c.chunks = append(c.chunks, objects.Dict(chunk))
			}
			return err
		})
	})
}

// ichorChunk returns a new reference to a dict of entries by number.
func ichorChunk(t *rt.Thread, fields [fieldCount]rt.Ref, from, to int) (rt.Ref, error) {
	chunk, err := objects.NewDict(t)
	if err != nil {
		return rt.Nil, err
	}
	for i := from; i < to && err == nil; i++ {
		err = t.Scope(func(s *rt.Scope) {
			values := [fieldCount]rt.Ref{
				fieldID:    s.Own(objects.NewInt(t, int64(i))),
				fieldStock: s.Own(objects.NewInt(t, int64(cacheStock(i)))),
				fieldPrice: s.Own(objects.NewFloat(t, cachePrice(i))),
				fieldName:  s.Own(objects.NewString(t, cacheName(i))),
				fieldBrand: s.Own(objects.NewString(t, cacheBrand(i))),
				fieldTags:  s.Own(objects.NewList(t)),
			}
			for _, tag := range tagsOf(i) {
				s.Check(objects.List(values[fieldTags]).Append(t, s.Own(objects.NewString(t, tag))))
			}
			entry := objects.Dict(s.Own(objects.NewDict(t)))
			for k, v := range values {
				s.Check(entry.Set(t, fields[k], v))
			}
			s.Check(objects.Dict(chunk).Set(t, values[fieldID], entry))
		})
		t.Checkpoint()
	}
	if err != nil {
		t.DecRef(chunk)
		return rt.Nil, err
	}
	return chunk, nil
}

func (c *ichorCache) reading(fn func(func(int) ([]byte, error)) error) error {
	return c.r.Do(func(t *rt.Thread) error {
		fields, err := ichorFields(t)
		if err != nil {
			return err
		}
		defer t.DecRefs(fields[:])
		return fn(func(i int) ([]byte, error) {
			t.Checkpoint()
			key, _ := rt.Int(int64(i)) // entry numbers fit a small integer
			entry, ok := c.chunks[i/cacheChunk].Lookup(t, key)
			if !ok {
				return nil, errMissing
			}
			return ichorEntry(t, objects.Dict(entry), fields)
		})
	})
}

// ichorEntry returns the answer to a read of an entry, which it borrows.
func ichorEntry(t *rt.Thread, entry objects.Dict, fields [fieldCount]rt.Ref) ([]byte, error) {
	var values [fieldTags]rt.Ref
	for k := range values {
		v, ok := entry.Lookup(t, fields[k])
		if !ok {
			return nil, errMissing
		}
		values[k] = v
	}
	id, ok1 := objects.Int(values[fieldID]).Value(t)
	stock, ok2 := objects.Int(values[fieldStock]).Value(t)
	price, ok3 := objects.Float(values[fieldPrice]).Value(t)
	name, ok4 := objects.String(values[fieldName]).View(t)
	brand, ok5 := objects.String(values[fieldBrand]).View(t)
	if !(ok1 && ok2 && ok3 && ok4 && ok5) {
		return nil, errors.New("a field has another type")
	}
	return cacheAnswer(id, stock, price, name, brand), nil
}

func (c *ichorCache) close() error {
	if c.r == nil {
		return nil
	}
	err := c.r.Do(func(t *rt.Thread) error {
		for _, chunk := range c.chunks {
			t.DecRef(chunk) // no effect on frozen chunks
		}
		return nil
	})
	return errors.Join(err, c.r.Close())
}
