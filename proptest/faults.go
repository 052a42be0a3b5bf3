package proptest

import (
	"errors"
	"testing"

	"github.com/ichor-go/ichor/proptest/internal/faults"
	rt "github.com/ichor-go/ichor/runtime"
)

// ErrInjected is the error that Faults injects.
var ErrInjected = errors.New("injected by a test")

// Faults runs a program again and again, each time on a new runtime. In the n-th run the n-th
// allocation, or system call for memory, fails. Faults stops after the first run that ends
// before its n-th call. If a call fails, the program must give up all references that it owns
// and return an error that is ErrInjected, or do without the memory. Then counts and
// references must agree, and Close must find no leak. An attached thread of a runtime in
// checked mode calls the program; the runtime's other options are o's. The program must do
// the same in each run. Any goroutine that is not attached.
func Faults(t *testing.T, o rt.Options, program func(th *rt.Thread) error) {
	t.Helper()
	if o.AddressSpace == 0 {
		o.AddressSpace = 64 << 20
	}
	o.Checked, o.CollectAfter = true, -1
	for n := int64(1); ; n++ {
		hit, err := faults.Run(o, n, ErrInjected, program)
		if err != nil {
			t.Fatalf("with error %d injected (%s): %v", n, hit, err)
		}
		if hit == "" {
			t.Logf("%d errors were injected, one in each run", n-1)
			if n == 1 {
				t.Error("the program allocates nothing")
			}
			return
		}
	}
}
