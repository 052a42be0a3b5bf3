package trials

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/cespare/xxhash/v2"
	"pgregory.net/rapid"

	"github.com/ichor-go/ichor/internal/imagefile"
	"github.com/ichor-go/ichor/proptest/internal/modes"
	"github.com/ichor-go/ichor/proptest/internal/property"
	rt "github.com/ichor-go/ichor/runtime"
)

// Images of a subject's objects that somebody has changed. Checksums find a change by accident. Whoever
// changes an image on purpose makes them right again, so then Freezing.Check has to refuse the object, or
// what is left is an object like any other: no call on it panics.

// damage is what happens to an image.
type damage struct {
	cut    bool
	at     uint32 // where, modulo the bytes that there are
	bit    uint8
	sealed bool // the checksums are made right again
}

// forged draws a program, whose object becomes an image, and what happens to the image.
func (x *trials[M]) forged(t *rapid.T) {
	p := x.draw(t, "program", x.config.Ops/2)
	o := rapid.SampledFrom(modes.All(x.config.Options)).Draw(t, "mode")
	d := damage{
		cut: rapid.IntRange(0, 7).Draw(t, "cut") == 0, at: rapid.Uint32().Draw(t, "at"),
		bit: uint8(rapid.IntRange(0, 7).Draw(t, "bit")), sealed: rapid.Bool().Draw(t, "sealed"),
	}
	x.report(t, x.forge(o, p, d))
}

// forge runs a program, damages an image of its first object, and opens it.
func (x *trials[M]) forge(o rt.Options, p plan, d damage) error {
	x.runs.Inc()
	r, err := rt.New(o)
	if err != nil {
		return err
	}
	var y *trial[M]
	var image bytes.Buffer
	t := property.Must(r.Attach())
	err = new(trial[M]).attempt(func() {
		y = x.newTrial(t)
		y.run(p)
		if v := y.regs[0]; v != nil {
			f := property.Must(t.Freeze(v.ref))
			if _, err := f.WriteTo(&image); err != nil {
				image.Reset() // a type without a layout has no images
			}
			property.Check(t.Unload(f))
		}
		if image.Len() > imagefile.Data { // an image without objects has nothing to damage
			x.openForged(t, r, image.Bytes(), d)
		}
		y.finish()
	})
	if err != nil {
		var log []string
		if y != nil {
			log = y.log
		}
		return told(err, o, log)
	}
	t.Detach()
	return closed(r)
}

// openForged opens a damaged image, and calls each operation on what it has, if it is not refused.
func (x *trials[M]) openForged(t *rt.Thread, r *rt.Runtime, image []byte, d damage) {
	bad := d.damaged(image)
	f, err := r.OpenImageAt(bytes.NewReader(bad))
	if err != nil {
		var refused *rt.ImageError
		if !errors.As(err, &refused) {
			panic(property.Frozen.Broken("an image that was changed is refused with %v, which is not an ImageError", err))
		}
		return
	}
	if !d.sealed || d.cut {
		panic(property.Frozen.Broken("an image that was changed (%+v) is opened", d))
	}
	last := "nothing"
	func() {
		defer func() {
			if p := recover(); p != nil {
				panic(property.Frozen.Broken("Freezing.Check has passed an object that was changed (%+v), and %s panics: %v", d, last, property.FailureOf(p).Detail))
			}
		}()
		for _, op := range x.Ops {
			for _, n := range []int{0, 3, 15} {
				last = op.Name
				if op.Derive == nil {
					_, _ = op.Do(t, f.Root(), n) // what it returns is not known
				} else if made, err := op.Derive(t, f.Root(), n); err == nil {
					t.DecRef(made)
				}
			}
		}
		last = "Unload"
		property.Check(t.Unload(f))
	}()
}

// The words of an image's header that say how long its parts are, and their checksums: package imagefile.
const (
	dataBytesAt, typeBytesAt, typeHashAt, dataHashAt, headerHashAt = 24, 48, 56, 64, 72
)

// damaged returns the image after the damage.
func (d damage) damaged(image []byte) []byte {
	le := binary.LittleEndian
	types := int(le.Uint64(image[typeBytesAt:]))
	length := len(image) - imagefile.Data
	at := imagefile.Data + int(d.at)%length
	if d.cut {
		return bytes.Clone(image[:at])
	}
	b := bytes.Clone(image)
	b[at] ^= 1 << d.bit
	if !d.sealed {
		return b
	}
	data, table := b[imagefile.Data:len(b)-types], b[len(b)-types:]
	le.PutUint64(b[typeHashAt:], xxhash.Sum64(table))
	le.PutUint64(b[dataHashAt:], xxhash.Sum64(data))
	le.PutUint64(b[headerHashAt:], xxhash.Sum64(b[:headerHashAt]))
	return b
}
