package main

import "runtime"

var _ = add("an import that only Gosched uses", func() {
	runtime.Gosched()
	f := runtime.Gosched
	f()
	defer runtime.Gosched()
})
