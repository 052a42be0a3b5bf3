package runtime

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/internal/imagefile"
)

var icyType = must(DefineType(Type{Name: "icy", Freezing: &Freezing{Layout: "two words", Copy: CopyBody(8), Check: CheckBody(8)}}))

// TestImageTypeTableLimit checks that an image that no program could open is not written.
func TestImageTypeTableLimit(t *testing.T) {
	defer func(n int) { imagefile.MaxTypeBytes = n }(imagefile.MaxTypeBytes)
	r := newRuntime(t, Options{})
	must0(t, r.Do(func(th *Thread) error {
		x, _, err := th.New(icyType, 8)
		if err != nil {
			return err
		}
		defer th.DecRef(x)
		f := must(th.Freeze(x))
		var image bytes.Buffer
		imagefile.MaxTypeBytes = 4 + len("icy") + 4 + len("two words")
		must(f.WriteTo(&image))
		imagefile.MaxTypeBytes--
		if n, err := f.WriteTo(&bytes.Buffer{}); n != 0 || err == nil || !strings.Contains(err.Error(), "1 types in 20 bytes, want at most 19 bytes") {
			t.Errorf("%d bytes are written, error %v", n, err)
		}
		if _, err := r.OpenImageAt(bytes.NewReader(image.Bytes())); err == nil || !strings.Contains(err.Error(), "1 types in 20 bytes") {
			t.Errorf("it is opened: error %v", err)
		}
		imagefile.MaxTypeBytes++
		return th.Unload(must(r.OpenImageAt(bytes.NewReader(image.Bytes()))))
	}))
	for _, f := range r.Frozen() {
		must0(t, r.Unload(f))
	}
	must0(t, r.Close())
}

// TestLayoutOfReferences checks the bytes that go into every image's hash. Images that exist
// can only be opened while these bytes stay the same.
func TestLayoutOfReferences(t *testing.T) {
	const want = "granule 16, owner local shared meta, offset size, " +
		"self 0x30786330303030303030 0x30783130303030303030, int 0x696e74202d323638343335343536, none 0x4e6f6e65"
	if got := layoutOfReferences(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
