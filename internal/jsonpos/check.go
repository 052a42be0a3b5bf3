package jsonpos

import (
	"bytes"
	"context"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// Check reads data as one JSON value without repeated member names. It returns nil if
// data is valid, or if ctx ends.
func Check(ctx context.Context, data []byte) *Fault {
	dec := jsontext.NewDecoder(bytes.NewBuffer(data))
	for i := 0; ; i++ {
		if i%4096 == 0 && ctx.Err() != nil {
			return nil
		}
		if _, length := dec.StackIndex(0); dec.StackDepth() == 0 && length > 0 && dec.PeekKind() != 0 {
			f := Describe(dec, nil)
			return &f
		}
		_, err := dec.ReadToken()
		if err == nil {
			continue
		}
		if _, length := dec.StackIndex(0); err == io.EOF && length > 0 {
			return nil
		}
		f := Describe(dec, err)
		return &f
	}
}
