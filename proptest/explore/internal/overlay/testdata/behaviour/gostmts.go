package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

type counter struct {
	sync.Mutex
	n    int
	done chan string
}

func (c *counter) add(ns ...int) {
	c.Lock()
	defer c.Unlock()
	for _, n := range ns {
		c.n += n
	}
	c.done <- fmt.Sprint("add", ns, c.n)
}

func (c counterValue) show(prefix string) { c.done <- prefix + fmt.Sprint(c.n) }

type counterValue struct {
	n    int
	done chan string
}

type adder interface{ add(...int) }

func two() (int, int) { return 20, 21 }

func generic[T any](done chan string, v T) { done <- fmt.Sprintf("%T %v", v, v) }

func flag(done chan string, b myBool, n int64, s ...any) { done <- fmt.Sprint(b, n, s) }

func result(done chan string) int { done <- "result"; return 1 }

var _ = add("go", func() {
	c := &counter{done: make(chan string)}
	go c.add(1, 2)
	say(<-c.done)
	go c.add()
	say(<-c.done)
	go c.add([]int{4, 5}...)
	say(<-c.done)
	go c.add(two())
	say(<-c.done)
	go func() { c.done <- "literal" }()
	say(<-c.done)
	go func(x int, s string) { c.done <- s + fmt.Sprint(x) }(traced("one", 1), traced("two", "2"))
	say(<-c.done)
	go func() int { c.done <- "with a result"; return 1 }()
	say(<-c.done)
	v := counterValue{3, c.done}
	go v.show("value")
	v.n = 4
	say(<-c.done)
	go (*counter).add(c, 1)
	say(<-c.done)
	go counterValue.show(v, "expression")
	say(<-c.done)
	var a adder = c
	go a.add(100)
	say(<-c.done)
	go generic(c.done, 1)
	say(<-c.done)
	go generic[float64](c.done, 1)
	say(<-c.done)
	go generic[any](c.done, nil)
	say(<-c.done)
	n := 2
	go flag(c.done, n == 2, 1<<n, n, nil, "x", n < 1)
	say(<-c.done)
	go flag(c.done, !(n == 2), int64(n), nil)
	say(<-c.done)
	go result(c.done)
	say(<-c.done)
	fs := []func(string){func(s string) { c.done <- s }}
	go fs[traced("function", 0)](traced("argument", "arg"))
	say(<-c.done)
	go (fs[0])("parens")
	say(<-c.done)
	if n == 2 {
		go fs[0](
			"several " +
				"lines",
		)
	}
	say(<-c.done)
	go fs[0](<-func() chan string { r := make(chan string, 1); r <- "received"; return r }())
	say(<-c.done)
	go close(c.done)
	_, ok := <-c.done
	say(ok)
	m := map[int]int{1: 1, 2: 2}
	go delete(m, 1)
	for i := 0; i < 1000; i++ {
		runtime.Gosched()
		time.Sleep(time.Microsecond)
	}
	x := 1
	done := make(chan bool)
	go func(x int) { say(x); done <- true }(x)
	x = 2
	<-done
again:
	go func() { done <- true }()
	if <-done; x < 4 {
		x++
		goto again
	}
	func() {
		defer func() { say(recover()) }()
		var nobody adder
		go nobody.add(1)
	}()
})

var _ = add("lines in stacks", func() {
	lines := make(chan int)
	go func(n int) {
		_, _, line, _ := runtime.Caller(0)
		lines <- line + n
	}(0)
	say(<-lines)
	go func() {
		_, _, line, _ := runtime.Caller(0)
		select {
		case lines <- line:
		}
	}()
	say(<-lines)
})
