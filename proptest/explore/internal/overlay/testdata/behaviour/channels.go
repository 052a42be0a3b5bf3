package main

import (
	"errors"
	"fmt"
	"os"
)

type (
	ints    chan int
	sink    chan<- int
	from    <-chan int
	fun     func() int
	myBool  bool
	myErr   struct{}
	holder  struct{ c chan int }
	channel = chan string
)

func (myErr) Error() string { return "mine" }

func (h *holder) get() chan int { return h.c }

var _ = add("send and receive", func() {
	c := make(ints, 3)
	c <- 1
	c <- <-c + 1
	v := <-c
	say(v, len(c), cap(c))
	sink((chan int)(c)) <- 5
	say(<-from((chan int)(c)))
	c <- 6
	x, ok := <-c, false
	_ = x
	say(x, ok)
})

var _ = add("values that need a conversion", func() {
	e := make(chan error, 3)
	e <- myErr{}
	e <- nil
	e <- errors.New("x")
	say(<-e, <-e, <-e)
	a := make(chan any, 4)
	a <- 1
	a <- "s"
	a <- nil
	a <- a
	say(<-a, <-a, <-a, (<-a) == any(a))
	f := make(chan func() int, 1)
	f <- fun(func() int { return 4 })
	say((<-f)())
	g := make(chan fun, 1)
	g <- func() int { return 5 }
	say((<-g)())
	n := 3
	i := make(chan int64, 3)
	i <- 1 << n
	i <- 7
	i <- 'a'
	say(<-i, <-i, <-i)
	b := make(chan myBool, 2)
	b <- n == 3
	b <- true && n < 1
	say(<-b, <-b)
	d := make(chan ints, 1)
	d <- make(chan int, 2)
	say(cap(<-d))
	r := make(chan (<-chan int), 1)
	r <- make(chan int, 6)
	say(cap(<-r))
	u := make(chan float64, 1)
	u <- 1
	say(<-u)
})

var _ = add("second value", func() {
	c := make(chan int, 2)
	c <- 1
	close(c)
	v, ok := <-c
	say(v, ok)
	v, ok = <-c
	say(v, ok)
	var w, more = <-c
	say(w, more)
	_, ok = (<-c)
	say(ok)
	if v, ok := <-c; !ok {
		say(v, "closed")
	}
	m := map[string]int{}
	flags := []bool{true}
	m["x"], flags[0] = <-c
	mine := map[int]myBool{}
	_, mine[traced("mine", 1)] = <-c
	say(mine)
	say(m, flags)
	var x any
	x, _ = <-c
	say(x)
})

var _ = add("nested", func() {
	cc := make(chan chan int, 2)
	c := make(chan int, 4)
	cc <- c
	cc <- c
	c <- 3
	say(<-<-cc)
	<-cc <- 4
	say(-<-c)
	h := &holder{c}
	h.get() <- traced("v", 9)
	say(<-h.get(), len(h.get()))
	p := &c
	*p <- 1
	say(<-*p)
	s := []chan int{c}
	s[traced("index", 0)] <- traced("value", 8)
	say(
		<-s[0],
		len(s[0]),
	)
	func() { <-func() chan int { c <- 2; return c }() }()
	say(len(c))
})

var _ = add("close", func() {
	c := make(channel)
	defer func() { say(recover()) }()
	func() {
		defer close(c)
	}()
	(close)(c)
})

var _ = add("send on closed", func() {
	c := make(chan int)
	close(c)
	c <- 1
})

var _ = add("range", func() {
	c := make(ints, 10)
	fill := func() chan int {
		c = make(ints, 10)
		for i := range 5 {
			c <- i
		}
		close(c)
		return c
	}
	for v := range fill() {
		v := v * 2
		say(v)
	}
	n := 0
	for range fill() {
		n++
	}
	for _ = range fill() {
		n++
	}
	say(n)
	a := []int{0, 0}
	for a[traced("key", 1)] = range fill() {
	}
	say(a)
	var iface any
	for iface = range fill() {
		break
	}
	say(iface)
outer:
	for i := range 3 {
		for v := range fill() {
			switch v {
			case 1:
				continue
			case 2:
				continue outer
			}
			if i == 2 {
				break outer
			}
			say(i, v)
		}
	}
labelled:
	for v := range fill() {
		for {
			if v < 3 {
				continue labelled
			}
			break labelled
		}
	}
	var fs []func() int
	for v := range fill() {
		fs = append(fs, func() int { v++; return v })
	}
	for _, f := range fs {
		say(f(), f())
	}
	for v := range fill() {
		defer func() { say("deferred", v) }()
		if v == 1 {
			goto out
		}
	}
out:
	for v := range fill() {
		i := 0
	again:
		if i++; i < 2 {
			goto again
		}
		say(v, i)
		return
	}
})

func first(c <-chan int) int {
	for v := range c {
		return v
	}
	return -1
}

var _ = add("range and return", func() {
	c := make(chan int, 1)
	c <- 6
	say(first(c))
	close(c)
	say(first(c))
})

type chans interface{ ~chan int | ~<-chan int }

func sum[C chans](c C) (n int) {
	for v := range c {
		n += v
	}
	v, ok := <-c
	say(v, ok, len(c), cap(c))
	return n + <-c
}

func pump[T any, C ~chan T | ~chan<- T](c C, vs ...T) {
	for _, v := range vs {
		c <- v
	}
	select {
	case c <- vs[0]:
		say("sent")
	default:
		say("full")
	}
	close(c)
}

func mixed[T ~[]int | ~string](x T) int { return len(x) }

func merge[T fmt.Stringer](a, b <-chan T) (out []string) {
	for a != nil || b != nil {
		select {
		case v, ok := <-a:
			if !ok {
				a = nil
				continue
			}
			out = append(out, v.String())
		case v, ok := <-b:
			if !ok {
				b = nil
				break
			}
			out = append(out, v.String())
		}
	}
	return out
}

func total[M ~map[K]V, K comparable, V int](m M) (n V) {
	for k, v := range m {
		if v == 2 {
			delete(m, k)
			continue
		}
		n += v
	}
	for _, v := range map[float64]V{1: 1} {
		n += v
	}
	return n
}

type text string

func (t text) String() string { return string(t) }

var _ = add("generics", func() {
	c := make(ints, 4)
	pump(c, 1, 2, 3)
	say(sum(c))
	d := make(chan string, 1)
	pump(d, "x")
	say(<-d, mixed("abc"))
	a := make(chan text, 1)
	a <- "a"
	close(a)
	say(merge(a, nil))
	counts := map[string]int{"a": 1, "b": 2, "c": 3}
	say(total(counts), len(counts))
})

var _ = add("a type switch", func() {
	for _, x := range []any{make(chan int, 2), make(<-chan int), make(ints), 3} {
		switch c := x.(type) {
		case chan int:
			c <- 1
			say("chan int", len(c), <-c)
		case <-chan int:
			say("receive only", len(c))
		case ints:
			say("ints", cap(c))
		default:
			say("none of these", c)
		}
	}
})

var _ = add("shadowed names", func() {
	c := make(chan int, 1)
	{
		close := func(chan int) { say("my close") }
		len := func(chan int) int { return 77 }
		true, false, nil := 1, 0, 2
		close(c)
		say(len(c), true, false, nil)
		select {
		case c <- true:
		default:
		}
		if v, ok := <-c; ok {
			say(v)
		}
	}
	shim, explore_1, sync := 1, 2, 3
	c <- shim
	say(<-c, explore_1, sync)
})

func init() { fmt.Fprint(os.Stdout) }
