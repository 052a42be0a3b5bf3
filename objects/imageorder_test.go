package objects

import (
	"bytes"
	"encoding/binary"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	rt "github.com/ichor-go/ichor/runtime"
)

var update = flag.Bool("update", false, "write the image of this machine's byte order to testdata")

// TestImagesOfOtherMachines: all machines with one byte order write the same bytes, and
// so can open each other's images. Those of the other order are refused.
func TestImagesOfOtherMachines(t *testing.T) {
	own, other := filepath.Join("testdata", "little.img"), filepath.Join("testdata", "big.img")
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		own, other = other, own
	}
	image := imageOf(t, newKinds)
	if *update {
		must0(t, os.WriteFile(own, image, 0o666))
	}
	if !bytes.Equal(image, must(os.ReadFile(own))) {
		t.Errorf("the image has other bytes than %s: if that is meant, the version has to change, and -update writes them, on one machine of each order", own)
	}
	r := must(rt.New(rt.Options{AddressSpace: smallSpace}))
	f, err := r.OpenImage(own)
	must0(t, err)
	must0(t, r.Do(func(th *rt.Thread) error {
		root := newKinds(th)
		same(t, th, root, f.Root(), map[rt.Ref]rt.Ref{})
		th.DecRef(root)
		th.Collect()
		return nil
	}))
	for _, trust := range []bool{false, true} {
		_, err := r.OpenImage(other, rt.ImageOptions{TrustImage: trust})
		if err == nil || !strings.HasSuffix(err.Error(), "big.img: written on a machine with the other byte order") &&
			!strings.HasSuffix(err.Error(), "little.img: written on a machine with the other byte order") {
			t.Errorf("trusted %t: %v", trust, err)
		}
	}
	must0(t, r.Unload(f))
	must0(t, r.Close())
}
