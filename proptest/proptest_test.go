package proptest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/objects"
	"github.com/ichor-go/ichor/proptest/internal/modes"
	"github.com/ichor-go/ichor/proptest/internal/property"
	"github.com/ichor-go/ichor/proptest/internal/suite"
	rt "github.com/ichor-go/ichor/runtime"
)

// TestMain runs the tests, or is the process of a canary.
func TestMain(m *testing.M) {
	if what := os.Getenv(canaryVariable); what != "" {
		beCanary(what)
		return
	}
	suite.Main(m)
}

// TestPrograms runs random programs in every mode.
func TestPrograms(t *testing.T) {
	for _, o := range modes.All(rt.Options{}) {
		t.Run(modes.Name(o), func(t *testing.T) {
			Run(t, Config{Options: o})
		})
	}
}

// fatal is a test that notes how it ends.
type fatal struct {
	testing.TB
	said string
}

func (f *fatal) Fatalf(format string, args ...any) { f.said = fmt.Sprintf(format, args...) }

// TestAudit forgets a reference, and then does not.
func TestAudit(t *testing.T) {
	r := property.Must(rt.New(rt.Options{AddressSpace: 4 << 20}))
	property.Check(r.Do(func(th *rt.Thread) error {
		list := property.Must(objects.NewList(th))
		f := &fatal{TB: t}
		if Audit(f, th); !strings.Contains(f.said, "property (b)") {
			t.Errorf("a reference is forgotten: got %q", f.said)
		}
		Audit(t, th, list)
		th.DecRef(list)
		return nil
	}))
	property.Check(r.Close())
}
