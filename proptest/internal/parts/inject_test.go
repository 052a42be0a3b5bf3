package parts

import (
	"errors"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// TestFinds has a program that leaks when the error is injected, and one that hides the error.
func TestFinds(t *testing.T) {
	o := rt.Options{AddressSpace: 64 << 20, Checked: true, CollectAfter: -1}
	found := false
	for n := range int64(10) {
		_, err := Faulty(o, n+1, faultInjected, func(th *rt.Thread) error {
			l, err := objects.NewList(th)
			if err != nil {
				return err
			}
			m, err := objects.NewList(th, l)
			if err != nil {
				return err // l leaks
			}
			th.DecRefs([]rt.Ref{l, m})
			return nil
		})
		var audit *rt.AuditError
		found = found || errors.As(err, &audit)
	}
	if !found {
		t.Error("a program that leaks a list was not found")
	}
	_, err := Faulty(o, 1, faultInjected, func(th *rt.Thread) error {
		if _, err := objects.NewList(th); err != nil {
			return errors.New("something")
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "another one") {
		t.Errorf("a program hides the error: got %v", err)
	}
}

var faultInjected = errors.New("injected")
