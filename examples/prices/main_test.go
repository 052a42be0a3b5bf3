package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

var modes = map[string]rt.Options{
	"gil":     {Mode: rt.GIL},
	"atomic":  {Counting: rt.Atomic},
	"biased":  {Counting: rt.Biased},
	"checked": {Checked: true},
}

// inModes runs a test in every mode, with a shop that is closed at its end: nothing may leak.
func inModes(t *testing.T, test func(t *testing.T, s *shop)) {
	for name, opts := range modes {
		t.Run(name, func(t *testing.T) {
			s := must(open(opts, strings.NewReader(document)))(t)
			defer func() {
				if err := s.close(); err != nil {
					t.Error(err)
				}
			}()
			test(t, s)
		})
	}
}

// must returns a value, or ends the test.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// do runs fn on a thread, and ends the test if that fails.
func (s *shop) do(t *testing.T, fn func(t *rt.Thread) error) {
	t.Helper()
	if err := s.r.Do(fn); err != nil {
		t.Fatal(err)
	}
}

const output = `1. 3 prices: {"tea":300,"coffee":400,"honey":650}
2. 4000 look-ups, 1200000 cents in all
3. after 1000 raises by a cent, tea costs 1320
4. frozen tea costs 1320, Clear fails with ErrFrozen: true
5. 20 versions, 0 lost requests, 0 bills that mix versions
6. in a shop that starts from the image, tea costs 1340
`

// The program prints the same in every mode, and the first steps print what they print in it.
func TestRun(t *testing.T) {
	for name, opts := range modes {
		for n := range len(steps) + 2 {
			var out strings.Builder
			if err := run(&out, opts, n); err != nil {
				t.Errorf("%s, %d steps: %v", name, n, err)
			}
			want := strings.Join(strings.SplitAfter(output, "\n")[:min(n, len(steps))], "")
			if out.String() != want {
				t.Errorf("%s, %d steps: got\n%s\nwant\n%s", name, n, out.String(), want)
			}
		}
	}
}

// address is what messages call an object by. It differs between machines.
var address = regexp.MustCompile(`0x\w+`)

// shown is an error as the page shows it: stacks without the frames of tests, functions without
// the path of their package, files without their directory.
func shown(err error) string {
	text := regexp.MustCompile(`\S*/(prices\.\S+) \S*/(\w+\.go:\d+)`).ReplaceAllString(err.Error()+"\n", "$1 $2")
	return regexp.MustCompile(`(?m)^      (?:testing\.|main\.|prices\.Test).*\n`).ReplaceAllString(text, "")
}

// docs/tutorial.md has the actual output of the program, and the actual messages of the mistakes.
func TestPage(t *testing.T) {
	text := must(os.ReadFile(filepath.Join("..", "..", "docs", "tutorial.md")))(t)
	page := address.ReplaceAllString(string(text), "0x")
	checked := rt.Options{Checked: true}
	outputs := append(strings.SplitAfter(output, "\n"), output, shown(leak(checked)), shown(useAfterFree(checked)))
	for _, want := range outputs {
		if !strings.Contains(page, address.ReplaceAllString(want, "0x")) {
			t.Errorf("docs/tutorial.md does not contain\n%s", want)
		}
	}
}

func TestOpenFails(t *testing.T) {
	var wrong *objects.JSONError
	if _, err := open(rt.Options{}, strings.NewReader(`{"tea": `)); !errors.As(err, &wrong) {
		t.Errorf("half an object: %v", err)
	}
	var options *rt.OptionsError
	if _, err := open(rt.Options{MemoryLimit: -1}, strings.NewReader(document)); !errors.As(err, &options) {
		t.Errorf("a negative limit: %v", err)
	}
}

func TestNoPrice(t *testing.T) {
	inModes(t, func(t *testing.T, s *shop) {
		s.do(t, func(th *rt.Thread) error {
			if _, err := price(th, s.draft, "beer"); fmt.Sprint(err) != "beer has no price" {
				t.Errorf("price of an item that does not exist: %v", err)
			}
			if _, err := price(th, rt.None, "tea"); fmt.Sprint(err) != "tea has no price" {
				t.Errorf("price in an object that is not a dict: %v", err)
			}
			var key *objects.KeyError
			if err := s.raise(th, "beer", 1); !errors.As(err, &key) {
				t.Errorf("raise of an item that does not exist: %v", err)
			}
			return nil
		})
	})
}

func TestPriceIsNoInt(t *testing.T) {
	s := must(open(rt.Options{Checked: true}, strings.NewReader(`{"tea": "dear"}`)))(t)
	s.do(t, func(th *rt.Thread) error {
		if _, err := price(th, s.draft, "tea"); fmt.Sprint(err) != "the price of tea is not an int" {
			t.Errorf("price: %v", err)
		}
		var wrong *objects.ConvertError
		if err := s.raise(th, "tea", 1); !errors.As(err, &wrong) {
			t.Errorf("raise: %v", err)
		}
		return nil
	})
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

// Raises of several threads add up. A reader sees each price of one item in its order: so a
// price that only rises never falls.
func TestRaises(t *testing.T) {
	inModes(t, func(t *testing.T, s *shop) {
		const raisers, each = 3, 200
		err := s.r.Run(t.Context(), 2*raisers, func(_ context.Context, th *rt.Thread, worker int) (err error) {
			seen, n := int64(0), int64(0)
			for i := 0; i < each && err == nil; i++ {
				if worker < raisers {
					err = s.raise(th, "tea", 1)
				} else if n, err = price(th, s.draft, "tea"); n < seen {
					t.Errorf("the price fell from %d to %d", seen, n)
				}
				seen = n
				th.Checkpoint()
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		s.do(t, func(th *rt.Thread) error {
			if n, err := price(th, s.draft, "tea"); n != 300+raisers*each || err != nil {
				t.Errorf("tea costs %d, %v", n, err)
			}
			return nil
		})
	})
}

// A request that has begun reads its version to the end, while later ones read the next one, and
// publish waits for it.
func TestPublishWaits(t *testing.T) {
	inModes(t, func(t *testing.T, s *shop) {
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
		begun, resume, ended := make(chan struct{}), make(chan struct{}), make(chan error, 2)
		go func() {
			ended <- s.r.Do(func(th *rt.Thread) error {
				return s.published.Use(th, func(root rt.Ref) error {
					close(begun)
					th.Blocking(func() { <-resume })
					if n, err := price(th, root, "tea"); n != 300 || err != nil {
						t.Errorf("in the request that has begun, tea costs %d, %v", n, err)
					}
					return nil
				})
			})
		}()
		<-begun
		published := make(chan error, 1)
		go func() {
			published <- s.r.Do(func(th *rt.Thread) error {
				return errors.Join(s.set(th, "tea", 310), s.publish(t.Context(), th))
			})
		}()
		for total := int64(300); total == 300; runtime.Gosched() {
			s.do(t, func(th *rt.Thread) (err error) {
				total, err = s.bill(th, "tea")
				return err
			})
		}
		if n := len(s.r.Frozen()); n != 2 || len(published) > 0 {
			t.Errorf("publish did not wait: %d versions are loaded", n)
		}
		close(resume)
		if err := errors.Join(<-ended, <-published); err != nil {
			t.Error(err)
		}
		if n := len(s.r.Frozen()); n != 1 {
			t.Errorf("%d versions are loaded", n)
		}
	})
}

func TestImage(t *testing.T) {
	inModes(t, func(t *testing.T, s *shop) {
		path := filepath.Join(t.TempDir(), "prices.img")
		var wrong *rt.ImageError
		if _, err := openImage(s.opts, path); !errors.As(err, &wrong) {
			t.Errorf("an image that is not there: %v", err)
		}
		if err := s.save(path); err != nil {
			t.Fatal(err)
		}
		second := must(openImage(s.opts, path))(t)
		second.do(t, func(th *rt.Thread) error {
			if total, err := second.bill(th, "tea", "coffee"); total != 700 || err != nil {
				t.Errorf("tea and coffee cost %d, %v", total, err)
			}
			if _, err := second.bill(th, "beer"); fmt.Sprint(err) != "beer has no price" {
				t.Errorf("a bill for an item that does not exist: %v", err)
			}
			if err := second.set(th, "tea", 1); err == nil {
				t.Error("a shop without a draft sets prices")
			}
			return nil
		})
		if err := second.close(); err != nil {
			t.Error(err)
		}
	})
}
