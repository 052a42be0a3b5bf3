package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rt "github.com/ichor-go/ichor/runtime"
)

// inModes runs a test for each mode, in checked mode and without.
func inModes(t *testing.T, test func(t *testing.T, opts rt.Options)) {
	for _, m := range modes {
		for _, checked := range []bool{false, true} {
			opts := m.opts
			opts.Checked, opts.AddressSpace = checked, 16<<20
			t.Run(fmt.Sprintf("%s/checked=%t", m.name, checked), func(t *testing.T) {
				t.Parallel()
				test(t, opts)
			})
		}
	}
}

// TestPrograms: programs print what they should, in all modes, and leave nothing behind,
// because execute returns the error of Close.
func TestPrograms(t *testing.T) {
	programs := []struct{ name, text, want string }{
		{"ints", `(print (+ 1 2) (- 1 2) (* 6 7) (/ -7 2) (% -7 2) (< 1 2) (= 3 3) 9223372036854775807)`,
			"3 -1 42 -3 -1 true true 9223372036854775807"},
		{"strings", `(print (str "a" 1 nil (list "b")) (len "four") (= "x" (str "x")) (split " a  b "))`,
			`a1null["b"] 4 true ["a","b"]`},
		{"lists", `(let (l (list 1 2)) (push l (list)) (put l 0 "x") (print l (get l 1) (len l)))`,
			`["x",2,[]] 2 3`},
		{"dicts", `(let (d (dict "a" 1)) (put d "b" 2) (put d "a" 3) (print d (keys d) (get d "z" "none") (len d)))`,
			`{"a":3,"b":2} ["a","b"] none 2`},
		{"let", `(print (+ 1 (let (x 2 y (* x x)) (set x 10) (+ x y))) (let (x 1) (let (x 2) x) x))`, "15 1"},
		{"if", `(print (if nil 1 2) (if 0 1 2) (if false 1) (not nil))`, "2 1 null true"},
		{"recursion", `(def (fib n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))) (print (fib 15))`, "610"},
		{"later", `(def (even n) (if (= n 0) true (odd (- n 1)))) (def (odd n) (if (= n 0) false (even (- n 1)))) (print (even 101))`,
			"false"},
		{"capture", `(def (adder n) (fn (x) (+ x n))) (let (a (adder 3) b (adder 1099511627776)) (print (a 1) (b 1)))`,
			"4 1099511627777"},
		{"deep capture", `(def (f a) (fn (b) (fn (c) (list a b c)))) (print (((f 1) 2) 3))`, "[1,2,3]"},
		{"by value", `(let (x 1 f (fn () x)) (set x 2) (print x (f)))`, "2 1"},
		{"map", `(print (map (list 1 2 3) (fn (x) (* x x))))`, "[1,4,9]"},
		{"cells", `(let (c (cell 0)) (update c (fn (n) (+ n 1))) (print (load c) (cas c 0 5) (cas c 1 5) (load c)))`,
			"1 false true 5"},
		{"weak", `(let (l (list) w (weak l)) (print (= l (target w))) (set l nil) (print (target w)))`, "true\nnull"},
		{"cycle", `(let (c (cell nil) f (fn () c)) (update c (fn (old) f)) (print (= f (load (f)))))`, "true"},
		{"immortal", `(def l (immortal (list (cell 1)))) (update (get l 0) (fn (n) (list n n))) (print (load (get l 0)))`,
			"[1,1]"},
		{"threads", `(def total (cell 0))
			(def (work n) (let (i 0) (while (< i n) (update total (fn (t) (+ t 1))) (set i (+ i 1))) (list n)))
			(let (ths (map (list 300 500 200) (fn (n) (spawn work n)))) (print (map ths (fn (th) (join th))) (load total)))`,
			"[[300],[500],[200]] 1000"},
		{"threads of threads", `(def (sum n) (if (< n 2) n (let (a (spawn sum (/ n 2)) b (sum (- n (/ n 2)))) (+ b (join a)))))
			(print (sum 40))`, "40"},
		{"not joined", `(def c (cell 0)) (spawn (fn () (update c (fn (n) 1)))) (while (= (load c) 0) nil) (print "seen")`,
			"seen"},
		{"joined twice", `(let (th (spawn (fn () (list)))) (print (= (join th) (join th))))`, "true"},
		{"demo", demo, `24 words: {"the":5,"tea":3,"is":3,"hot":2,"and":2,"milk":3,"cold":1,"no":1,"in":2,"honey":2}`},
	}
	inModes(t, func(t *testing.T, opts rt.Options) {
		for _, p := range programs {
			var out strings.Builder
			if err := execute(t.Context(), opts, &out, "test", p.text); err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
			if got := strings.TrimSuffix(out.String(), "\n"); got != p.want {
				t.Errorf("%s: got %q, want %q", p.name, got, p.want)
			}
		}
	})
}

// TestErrors: programs fail with a line, on any thread, and leave nothing behind.
func TestErrors(t *testing.T) {
	programs := []struct{ text, want string }{
		{"\n(print 1", "test:2: ( is never closed"},
		{"1\n2)", "test:2: ) closes nothing"},
		{"\n\n\"a", `test:3: " is not closed on its line, or an escape is wrong`},
		{"99999999999999999999", "test:1: 99999999999999999999 is not a 64-bit integer"},
		{strings.Repeat("(", maxNesting+1), "test:1: lists nest deeper than 1000"},
		{"()", "test:1: () calls nothing"},
		{"(print\n  y)", "test:2: y is not defined"},
		{"(map (list) print)", "test:1: print is not a value: wrap it in a fn"},
		{"(def x 1)\n(def x 2)", "test:2: x is defined twice"},
		{"(def len 1)", "test:1: def takes a name that is not a word of the language, and a value or a body"},
		{"(def x)", "test:1: def takes a name and a value"},
		{"(if true (def x 1))", "test:1: def is allowed only at the top of a program"},
		{"(fn (1) 2)", "test:1: fn: an argument is a name that is not a word of the language"},
		{"(fn x 2)", "test:1: fn takes a list of arguments and a body"},
		{"(let (x) x)", "test:1: let takes a list of names and values, and a body"},
		{"(let (if 1) 2)", "test:1: let takes a name before each value, and no word of the language"},
		{"(if)", "test:1: if takes a condition and one or two values"},
		{"(while true)", "test:1: while takes a condition and a body"},
		{"(do)", "test:1: do takes a body"},
		{"(set 1)", "test:1: set takes a name and a value"},
		{"(def x 1)\n(def (f) (set x 2))", "test:2: set x: it is not a variable of this function; keep what functions share in a cell"},
		{"(+ 1)", "test:1: + takes 2 arguments, got 1"},
		{"(get 1)", "test:1: get takes 2 to 3 arguments, got 1"},
		{"(spawn)", "test:1: spawn takes 1 arguments or more, got 0"},

		{"(print\n(+ 1 \"a\"))", "test:2: +: want int, got string"},
		{"(def (f x)\n (let (y (list x))\n  (- y x)))\n(f 1)", "test:3: in f: -: want int, got list"},
		{"(* 9223372036854775807 2)", "test:1: *: the result takes more than 64 bits"},
		{"(% 1 0)", "test:1: %: division by zero"},
		{"(1 2)", "test:1: int is called, and is not a function"},
		{"(def (f) 1)\n(list 1 (list) (f 2))", "test:2: f takes 0 arguments, got 1"},
		{"(def x y)\n(def y 1)", "test:1: y is used before its def has run"},
		{"(get (list 1) 1)", "test:1: get: index 1 is out of range: the list has 1 items"},
		{"(get (dict) \"a\")", `test:1: get: no key "a"`},
		{"(dict (list) 1)", "test:1: dict: list cannot be a key: want int, float, number, string, bytes, bool, None, or a tuple of these"},
		{"(dict 1)", "test:1: dict: a key has no value"},
		{"(push nil 1)", "test:1: push: want list, got None"},
		{"(len 1)", "test:1: len: int has no length"},
		{"(load (fn () 1))", "test:1: load: want cell, got fn"},
		{"(join 1)", "test:1: join: want thread, got int"},
		{"(spawn 1)", "test:1: spawn: int is called, and is not a function"},
		{"(def (f) (list (f)))\n(f)", "test:1: in f: calls nest deeper than 10000"},
		{"(each (list 1 2)\n (fn (x)\n  (split x)))", "test:3: in fn: split: want string, got int"},
		{"(join (spawn (fn ()\n (+ nil 1))))", "test:2: in fn: +: want int, got None"},
		{"(spawn (fn () (+ nil 1)))\n(while true nil)", "test:1: in fn: +: want int, got None"},
	}
	inModes(t, func(t *testing.T, opts rt.Options) {
		for _, p := range programs {
			err := execute(t.Context(), opts, io.Discard, "test", p.text)
			if err == nil || err.Error() != p.want {
				t.Errorf("%q: got %v, want %s", p.text, err, p.want)
			}
		}
	})
}

// TestMemory runs a program into the memory limit. Another one stays below the limit
// although it makes more garbage than fits, in cycles that only the collector frees.
func TestMemory(t *testing.T) {
	inModes(t, func(t *testing.T, opts rt.Options) {
		opts.MemoryLimit = 1 << 20
		opts.CollectAfter = -1 // only a thread that has no memory collects
		err := execute(t.Context(), opts, io.Discard, "test", `(let (l (list)) (while true
			(push l (list l))))`)
		if !errors.Is(err, rt.ErrMemoryLimit) || !strings.HasPrefix(err.Error(), "test:2: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, want the memory limit in line 2, and nothing leaked", err)
		}
		if opts.Checked {
			return // checked mode keeps 4 MiB of freed memory from reuse
		}
		garbage := `(let (i 0) (while (< i 30000) (let (l (list)) (push l l)) (set i (+ i 1))))`
		if err := execute(t.Context(), opts, io.Discard, "test", garbage); err != nil {
			t.Errorf("garbage: %v", err)
		}
	})
}

// TestInterrupted: the end of the context ends programs that would run forever.
func TestInterrupted(t *testing.T) {
	for _, text := range []string{
		"(while true nil)",
		"(join (spawn (fn () (while true nil))))",
		"(def c (cell nil)) (update c (fn (old) (spawn (fn () (while (= nil (load c)) nil) (join (load c)))))) (join (load c))",
	} {
		inModes(t, func(t *testing.T, opts rt.Options) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer cancel()
			if err := execute(ctx, opts, io.Discard, "test", text); err == nil || err.Error() != context.DeadlineExceeded.Error() {
				t.Errorf("%q: got %v, want the end of the context alone", text, err)
			}
		})
	}
}

// broken is a writer that panics.
type broken struct{}

func (broken) Write([]byte) (int, error) { panic("broken") }

// TestPanic has a primitive panic in the middle of a call, under a host that recovers, as
// net/http does. Nothing leaks.
func TestPanic(t *testing.T) {
	inModes(t, func(t *testing.T, opts rt.Options) {
		r, err := rt.New(opts)
		if err != nil {
			t.Fatal(err)
		}
		m := &machine{r: r, out: broken{}, ctx: t.Context()}
		func() {
			defer func() {
				if p := recover(); p != "broken" {
					t.Errorf("recovered %v", p)
				}
			}()
			_ = r.Do(func(t *rt.Thread) error { // not reached: it panics
				return m.main(t, "test", `(def (f l) (print l)) (let (l (list (list))) (f (list l)))`)
			})
		}()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.lisp")
	if err := os.WriteFile(file, []byte("(print 1 2)"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(t.Context(), &out, io.Discard, []string{"-mode", "biased", file}); err != nil || out.String() != "1 2\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	for want, args := range map[string][]string{
		`mode "x": want gil, atomic, biased or all`: {"-mode", "x"},
		"want one program, got 2":                   {"a", "b"},
		"no such file":                              {file + ".none"},
	} {
		if err := run(t.Context(), io.Discard, io.Discard, args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", args, err, want)
		}
	}
}
