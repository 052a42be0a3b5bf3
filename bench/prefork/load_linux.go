package prefork

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/procfs"
	"golang.org/x/sync/errgroup"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/internal/pagemap"
)

// clients is the number of connections that send requests to a worker at the same time.
const clients = 4

// drive sends each worker the requests from number first up to end, and returns a checksum of
// the answers that does not depend on their order. What a request asks for depends only on its
// number and its worker.
func drive(ctx context.Context, workers []*worker, first, end int) (sum uint64, err error) {
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	for i, w := range workers {
		for c := range clients {
			g.Go(func() error {
				client := &http.Client{Timeout: workerTimeout, Transport: &http.Transport{}}
				defer client.CloseIdleConnections()
				own := uint64(0)
				for n := first + c; n < end; n += clients {
					part := uint64(n)*0x9e37_79b9_7f4a_7c15 ^ uint64(i)*0xc2b2_ae3d_27d4_eb4f
					answer, err := ask(ctx, client, fmt.Sprintf("http://%s/?part=%d", w.Address, part))
					if err != nil {
						return fmt.Errorf("worker %d, request %d: %w", i, n, err)
					}
					own += xxhash.Sum64(answer)
				}
				mu.Lock()
				defer mu.Unlock()
				sum += own
				return nil
			})
		}
	}
	err = g.Wait()
	return sum, err
}

func ask(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, body)
	}
	return body, err
}

// only keeps the ranges of frozen graphs, or all others. look asks about these.
func (w *worker) only(frozen bool) {
	ranges := w.Ranges
	w.Ranges = nil
	for _, x := range ranges {
		if x.Frozen == frozen {
			w.Ranges = append(w.Ranges, x)
		}
	}
}

// walkAll has the worker walk all documents, and then looks at it.
func (w *worker) walkAll(ctx context.Context) (s experiment.Sample, err error) {
	client := &http.Client{Transport: &http.Transport{}} // no timeout: the larger the heap, the longer it takes
	defer client.CloseIdleConnections()
	if _, err := ask(ctx, client, fmt.Sprintf("http://%s/all", w.Address)); err != nil {
		return s, err
	}
	return w.look()
}

// look asks the kernel how much of the heap the worker has mapped, and how much it has copied.
func (w *worker) look() (s experiment.Sample, err error) {
	pid := w.cmd.Process.Pid
	var all pagemap.Pages
	for _, x := range w.Ranges {
		n, err := pagemap.Read(pid, x.Start, x.End)
		if err != nil {
			return s, err
		}
		all.Mapped += n.Mapped
		all.Copied += n.Copied
	}
	p, err := procfs.NewProc(pid)
	if err != nil {
		return s, err
	}
	rollup, err := p.ProcSMapsRollup()
	if err != nil {
		return s, err
	}
	page := float64(os.Getpagesize())
	s.Value = float64(all.Copied) * page
	s.Extra = map[string]float64{
		"heap_shared_bytes": float64(all.Mapped-all.Copied) * page,
		"pss_bytes":         float64(rollup.Pss),
	}
	return s, nil
}
