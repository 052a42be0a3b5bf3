// Command race shows Ichor under go test -race, with a small service whose goroutines
// share a dictionary of sessions. Under the race detector objects lie in Go memory,
// which the detector sees. So it reports an access that the containers do not order, as
// in any Go program.
//
//	go run ./examples/race
//	go test -race ./examples/race
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

func main() {
	if err := run(os.Stdout, rt.LockFree, 4, 10_000); err != nil {
		log.Fatal(err)
	}
}

// request is one page view.
type request struct{ user, page string }

var (
	users = []string{"ada", "brian", "grace", "ken"}
	pages = []string{"/", "/cart", "/help"}
)

// service answers requests. Its sessions are a Dict that maps the name of a user to the
// List of pages that the user has viewed. All workers use it concurrently, without a Go
// lock.
type service struct {
	r        *rt.Runtime
	sessions rt.Ref
}

func newService(opts rt.Options) (*service, error) {
	r, err := rt.New(opts)
	if err != nil {
		return nil, err
	}
	s := &service{r: r}
	err = r.Do(func(t *rt.Thread) error {
		return t.Scope(func(sc *rt.Scope) {
			sessions := sc.Own(objects.NewDict(t))
			for _, u := range users {
				sc.Check(objects.Dict(sessions).Set(t, sc.Own(objects.NewString(t, u)), sc.Own(objects.NewList(t))))
			}
			s.sessions = sc.Keep(sessions) // nothing can fail any more
		})
	})
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return s, nil
}

// serve runs workers, which answer requests until the channel is closed.
func (s *service) serve(ctx context.Context, workers int, requests <-chan request) error {
	return s.r.Run(ctx, workers, func(ctx context.Context, t *rt.Thread, _ int) error {
		for {
			q, ok, err := rt.RecvContext(ctx, t, requests) // leaves the world while it waits, and is a safe point
			if err != nil || !ok {
				return err
			}
			if err := s.answer(t, q); err != nil {
				return err
			}
		}
	})
}

// answer adds the page to the user's views. Finding the views takes no lock; Append
// takes that of the list.
func (s *service) answer(t *rt.Thread, q request) error {
	return t.Scope(func(sc *rt.Scope) {
		views := sc.Own(objects.Dict(s.sessions).Get(t, sc.Own(objects.NewString(t, q.user))))
		sc.Check(objects.List(views).Append(t, sc.Own(objects.Intern(t, q.page))))
	})
}

// close writes the number of views of each user to w, and closes the runtime.
func (s *service) close(w io.Writer) error {
	err := s.r.Do(func(t *rt.Thread) error {
		for name, views := range objects.Dict(s.sessions).All(t) {
			text, _ := objects.String(name).Text(t)
			fmt.Fprintf(w, "%s: %d views\n", text, objects.List(views).Len(t))
		}
		t.DecRef(s.sessions)
		return t.Audit() // the program holds nothing any more
	})
	return errors.Join(err, s.r.Close())
}

// run sends n requests to a service.
func run(w io.Writer, mode rt.Mode, workers, n int) error {
	s, err := newService(rt.Options{Mode: mode})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	requests := make(chan request)
	go func() {
		defer close(requests)
		for i := range n {
			select {
			case requests <- request{users[i%len(users)], pages[i%len(pages)]}:
			case <-ctx.Done():
				return
			}
		}
	}()
	err = s.serve(ctx, workers, requests)
	cancel()
	return errors.Join(err, s.close(w))
}
