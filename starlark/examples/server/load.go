package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// friendly is a program as users write them.
const friendly = `load("library.star", "total")
print(total(["item%d" % i for i in range(100)]))
`

const friendlyAnswer = "34650\n"

// hostile are programs that try to take memory, time or the stack from others.
var hostile = []string{
	`"x" * (1 << 40)`,
	"l = []\nwhile True:\n    l.append('x' * 1000)",
	"l = [1]\nfor i in range(100):\n    l += l",
	"{x: x for x in range(1000000000000)}",
	"x = 3\nwhile True:\n    x = x * x",
	"while True:\n    pass",
	"def f(n):\n    return f(n + 1) + 1\nf(0)",
	"l = []\nwhile True:\n    l = [l]",
	"s = 'a'\nfor i in range(100):\n    s = s.replace('a', 'aa')",
	`load("library.star", "prices")` + "\nprices['item1'] = 0",
}

// post sends a program, and returns the answer.
func post(url, program string) (status int, text string, err error) {
	r, err := http.Post(url, "text/plain", strings.NewReader(program))
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = r.Body.Close() }()
	b, err := io.ReadAll(r.Body)
	return r.StatusCode, string(b), err
}

// rounds is how often measure takes turns.
const rounds = 5

// measure prints how long friendly programs take, alone and beside hostile ones. It takes turns, and prints
// the best of each, so that other programs of the computer disturb both alike and little.
func measure(w io.Writer, s *server, d time.Duration) error {
	web := httptest.NewServer(s)
	defer web.Close()
	clients := []int{0, 2}
	best := make([]quantiles, len(clients))
	for range rounds {
		for i, n := range clients {
			times, ended, err := drive(web.URL, d/rounds, n)
			if err != nil {
				return err
			}
			best[i].add(times, ended)
		}
	}
	fmt.Fprintln(w, "friendly programs of 2 clients\tp50\tp99\ta second")
	for i, n := range clients {
		b := best[i]
		fmt.Fprintf(w, "beside %d hostile clients (%d programs ended)\t%s\t%s\t%.0f\n", n, b.ended, b.p50, b.p99,
			float64(b.most)/(d/rounds).Seconds())
	}
	fmt.Fprintf(w, "at most resident: %d MiB\n", resident()>>20)
	return nil
}

// quantiles are the best of several rounds.
type quantiles struct {
	p50, p99 time.Duration
	most     int // programs in a round
	ended    int64
}

func (q *quantiles) add(times []time.Duration, ended int64) {
	q.ended += ended
	if len(times) == 0 {
		return
	}
	slices.Sort(times)
	at := func(p int) time.Duration { return times[len(times)*p/100].Round(10 * time.Microsecond) }
	if q.most == 0 || at(50) < q.p50 {
		q.p50 = at(50)
	}
	if q.most == 0 || at(99) < q.p99 {
		q.p99 = at(99)
	}
	q.most = max(q.most, len(times))
}

// drive has two clients send friendly programs, and others hostile ones. It returns the times of
// the friendly ones, and how many hostile ones ended with an error.
func drive(url string, d time.Duration, hostiles int) (times []time.Duration, ended int64, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var count atomic.Int64
	end := time.Now().Add(d)
	fail := func(e error) {
		mu.Lock()
		defer mu.Unlock()
		err = e
	}
	for range 2 {
		wg.Go(func() {
			for time.Now().Before(end) {
				begin := time.Now()
				status, text, err := post(url, friendly)
				if err != nil || status != http.StatusOK || text != friendlyAnswer {
					fail(fmt.Errorf("a friendly program: %d %q %w", status, text, err))
					return
				}
				mu.Lock()
				times = append(times, time.Since(begin))
				mu.Unlock()
			}
		})
	}
	for i := range hostiles {
		wg.Go(func() {
			for n := i; time.Now().Before(end); n++ {
				status, text, err := post(url, hostile[n%len(hostile)])
				if err != nil || status != http.StatusUnprocessableEntity {
					fail(fmt.Errorf("a hostile program: %d %q %w", status, text, err))
					return
				}
				count.Add(1)
			}
		})
	}
	wg.Wait()
	return times, count.Load(), err
}

// resident returns the largest resident memory of the process so far, or 0.
func resident() int64 {
	data, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(data), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(fields[0], 10, 64)
	return n << 10
}
