package faults

import (
	"errors"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

var errInjected = errors.New("injected")

// TestFinds has a program that leaks when the error is injected, and one that hides the error.
func TestFinds(t *testing.T) {
	o := rt.Options{AddressSpace: 64 << 20, Checked: true, CollectAfter: -1}
	found := false
	for n := range int64(10) {
		_, err := Run(o, n+1, errInjected, func(th *rt.Thread) error {
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
	_, err := Run(o, 1, errInjected, func(th *rt.Thread) error {
		if _, err := objects.NewList(th); err != nil {
			return errors.New("something")
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "another error") {
		t.Errorf("a program that hides the error: got %v", err)
	}
}
