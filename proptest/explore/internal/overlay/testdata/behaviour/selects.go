package main

import "time"

func pick(c, d chan int) string {
	select {
	case v := <-c:
		return "c" + string(rune('0'+v))
	case d <- 1:
		return "sent"
	}
}

func forever(c chan int) int {
	for {
		select {
		case v, ok := <-c:
			if !ok {
				return -1
			}
			if v == 3 {
				break
			}
			if v == 4 {
				continue
			}
			say("got", v)
		}
	}
}

var _ = add("select", func() {
	c, d := make(chan int, 5), make(chan int, 1)
	c <- 2
	say(pick(c, nil))
	say(pick(nil, d), len(d))
	for i := range 5 {
		c <- i
	}
	close(c)
	say(forever(c))
	select {
	default:
		say("only default")
	}
	select {
	case <-d:
		say("d")
	default:
		say("no")
	}
	select {
	default:
		say("default first")
	case v := <-d:
		say(v)
	}
	var m = map[string]int{}
	var ok myBool
	var a any
	d <- 8
	select {
	case m[traced("key", "k")], ok = <-d:
		say(m, ok)
	}
	d <- 9
	select {
	case a = (<-d):
		say(a)
	}
	select {
	case _, ok := <-c:
		say(ok)
	}
	select {
	case _ = <-c:
	}
	var e = make(chan error, 1)
	select {
	case e <- myErr{}:
		say(<-e)
	}
	select {
	case e <- nil:
		say(<-e)
	}
	i64, n := make(chan int64, 1), 4
	select {
	case i64 <- 1 << n:
		say(<-i64)
	}
})

var _ = add("order in select", func() {
	c, d := make(chan int, 1), make(chan int, 1)
	c <- 1
	vs := []int{0}
	select {
	case d <- traced("value", <-c):
		say(<-d)
	case vs[traced("not this", 0)] = <-traced[chan int]("channel", nil):
	case <-traced[chan int]("second channel", nil):
	case traced[chan int]("third channel", nil) <- traced("second value", 1):
	}
})

var _ = add("labels in select", func() {
	c := make(chan int, 9)
	for i := range 9 {
		c <- i
	}
L:
	for {
		select {
		case v := <-c:
			switch v {
			case 1:
				continue L
			case 5:
				break L
			}
			say(v)
		}
	}
M:
	select {
	case v := <-c:
		if v < 8 {
			goto M
		}
		for {
			break M
		}
	}
	i := 0
	select {
	default:
	again:
		i++
		if i < 3 {
			goto again
		}
	}
	say(i)
	select {
	case <-time.After(time.Millisecond):
		say("later")
	case <-func() chan int {
		select {
		case v := <-c:
			say("inner", v)
		default:
			say("inner default")
		}
		return nil
	}():
	}
	select { // comment
	// another
	case v := <-c: // a third
		say(v)
	default: /* four */
		say("line") // five
	}
})

var _ = add("an empty select", func() {
	started := make(chan bool)
	go func() {
		started <- true
		select {}
	}()
	say(<-started)
})

func never() int {
	select {}
}

func never2(c chan int) int {
	select {
	case <-c:
		panic("c")
	default:
		panic("d")
	}
}
