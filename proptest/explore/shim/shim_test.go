package shim_test

import (
	"testing"

	"github.com/ichor-go/ichor/proptest/explore/shim"
)

type named chan int

// TestForms uses each function as the statement that it stands for, outside of an exploration.
func TestForms(t *testing.T) {
	ch := make(named, 2)
	shim.Send(ch, 1)
	if shim.Len(ch) != 1 || shim.Cap(ch) != 2 {
		t.Errorf("len %d, cap %d", shim.Len(ch), shim.Cap(ch))
	}
	if v := shim.Recv(ch); v != 1 {
		t.Errorf("received %d", v)
	}
	if i := shim.Select(true, shim.RecvCase(ch)); i != -1 {
		t.Errorf("an empty channel: case %d", i)
	}
	for i := range 2 {
		if c := shim.Select(true, shim.SendCase(ch, i)); c != 0 {
			t.Errorf("send %d: case %d", i, c)
		}
	}
	if i := shim.Select(true, shim.SendCase(ch, 3)); i != -1 {
		t.Errorf("a full channel: case %d", i)
	}
	r := shim.RecvCase(ch)
	if i := shim.Select(false, shim.RecvCase[int](nil), r); i != 1 || r.Value != 0 || !r.OK {
		t.Errorf("case %d, %d, %t", i, r.Value, r.OK)
	}
	shim.Close(ch)
	n := 0
	for v := range shim.Range(ch) {
		n += v
	}
	if n != 1 {
		t.Errorf("a range adds up to %d", n)
	}
	if _, ok := shim.Recv2(ch); ok {
		t.Error("a closed channel has a value")
	}
	if i := shim.Select(true, r); i != 0 || r.OK {
		t.Errorf("case %d, %t, of a closed channel", i, r.OK)
	}
	var err chan error = make(chan error, 1)
	e := shim.RecvCase(err)
	shim.Select(false, shim.SendCase(err, nil))
	if shim.Select(false, e); !e.OK || e.Value != nil {
		t.Errorf("%v, %t", e.Value, e.OK)
	}
	done := make(chan bool)
	shim.Go(func() { shim.Gosched(); done <- true })
	<-done
}
