package scenarios

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/internal/jsonpos"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// Values of the config key what.
const (
	imageTrusted  = "trusted"
	imageVerified = "verified"
	imageParsed   = "parse"
)

// imageSize is the default size of the image.
const imageSize = 256 << 20

// Image compares opening an image with parsing the JSON that it was made from.
func Image() experiment.Scenario {
	return experiment.Scenario{
		Name: "image",
		Question: "How long does it take to open an image, trusted or with every check, compared with parsing the JSON that it was made from? " +
			"(An op is one byte of the image, on one thread; the file is in the system's cache, and the JSON in memory. The image is of one list that repeats the documents up to the size given by -size, 256MiB by default. " +
			"Memory: about four times that size, and a file of that size in the folder for temporary files.)",
		Documents: true,
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			run := &imageRun{docs: env.Documents, size: env.Size}
			if run.size == 0 {
				run.size = imageSize
			}
			p := &experiment.Plan{Setup: run.setup, Close: run.close}
			for _, what := range []string{imageTrusted, imageVerified, imageParsed} {
				p.Variants = append(p.Variants, experiment.Variant{
					Config: experiment.Cfg("what", what, "threads", 1), Metric: experiment.OpsS, Sample: run.sampler(what),
				})
			}
			return p, nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With("what", imageParsed) },
		BaselineName: "what=parse",
		Conclude:     concludeImage,
	}
}

// imageRun is a file, and the runtime that opens it.
type imageRun struct {
	docs []experiment.Document
	size int64

	repeats int
	text    int64 // bytes of JSON
	bytes   int64 // of the image
	folder  string
	file    string
	r       *rt.Runtime
}

// setup writes the image. Its folder is removed when ctx ends, even if close is not called.
func (c *imageRun) setup(ctx context.Context) (err error) {
	if c.folder, err = os.MkdirTemp("", "ichor-image-"); err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = os.RemoveAll(c.folder) }) // close reports errors
	c.file = filepath.Join(c.folder, "bench.img")
	if c.r, err = experiment.NewRuntime(modeAtomic); err != nil {
		return err
	}
	if c.repeats, err = c.enough(ctx); err != nil {
		return err
	}
	f, err := c.freeze(ctx, c.repeats)
	if err != nil {
		return err
	}
	c.bytes = f.Bytes()
	return errors.Join(f.WriteFileContext(ctx, c.file), c.r.Unload(f))
}

func (c *imageRun) close() error {
	var err error
	if c.r != nil {
		err = c.r.Close()
	}
	if c.folder != "" {
		err = errors.Join(err, os.RemoveAll(c.folder))
	}
	return err
}

// enough returns how many copies of the documents make an image of the size. Copies share their
// strings, so the first copy takes more room than the others.
func (c *imageRun) enough(ctx context.Context) (int, error) {
	const most = 1 << 24 // a guess: a list of that length fits
	list := func(repeats int) int64 { return (20 + 4*int64(repeats*len(c.docs)) + 15) &^ 15 }
	var sizes [2]int64
	for i := range sizes {
		f, err := c.freeze(ctx, i+1)
		if err != nil {
			return 0, err
		}
		sizes[i] = f.Bytes() - list(i+1)
		if err := c.r.Unload(f); err != nil {
			return 0, err
		}
	}
	each := sizes[1] - sizes[0] + 4*int64(len(c.docs))
	n := 1 + max(c.size-sizes[0]+each-1, 0)/each
	if n > most {
		return 0, fmt.Errorf("documents of %d bytes are too small for an image of %d bytes", each, c.size)
	}
	return int(n), nil
}

// freeze returns a frozen list with so many copies of the documents.
func (c *imageRun) freeze(ctx context.Context, repeats int) (f *rt.Frozen, err error) {
	err = c.r.Do(func(t *rt.Thread) error {
		root, err := c.parse(ctx, t, repeats)
		if err != nil {
			return err
		}
		defer t.DecRef(root)
		f, err = t.Freeze(root)
		return err
	})
	return f, err
}

// parse returns a new reference to a list with so many copies of the documents.
func (c *imageRun) parse(ctx context.Context, t *rt.Thread, repeats int) (rt.Ref, error) {
	text := &repeated{ctx: ctx, docs: c.docs, n: repeats * len(c.docs)}
	root, err := objects.FromJSON(t, text, objects.JSONOptions{MaxDepth: jsonpos.MaxDepth})
	c.text = text.read
	return root, err
}

func (c *imageRun) sampler(what string) func(context.Context, experiment.Budget) (experiment.Sample, error) {
	return func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
		calls := 0
		s, err := timedRate(ctx, b, max(c.bytes, 1), func() (time.Duration, error) {
			calls++
			if what == imageParsed {
				return c.timeParse(ctx)
			}
			return c.timeOpen(rt.ImageOptions{TrustImage: what == imageTrusted})
		})
		if err == nil {
			s.Extra = map[string]float64{"ms": 1e3 * float64(s.Ops) / s.Value / float64(calls), "image-bytes": float64(c.bytes), "json-bytes": float64(c.text)}
		}
		return s, err
	}
}

func (c *imageRun) timeOpen(o rt.ImageOptions) (time.Duration, error) {
	begin := time.Now()
	f, err := c.r.OpenImage(c.file, o)
	took := time.Since(begin)
	if err == nil {
		err = c.r.Unload(f)
	}
	return took, err
}

func (c *imageRun) timeParse(ctx context.Context) (took time.Duration, err error) {
	err = c.r.Do(func(t *rt.Thread) error {
		begin := time.Now()
		root, err := c.parse(ctx, t, c.repeats)
		took = time.Since(begin)
		if err == nil {
			t.DecRef(root)
		}
		return err
	})
	return took, err
}

// repeated is the text of a JSON list of n documents: those of docs, again and again. Reading
// it fails when ctx ends.
type repeated struct {
	ctx  context.Context
	docs []experiment.Document
	n    int

	piece int // the number of the next piece: brackets and commas are even, documents odd
	text  bytes.Reader
	read  int64
}

func (r *repeated) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	for r.text.Len() == 0 {
		switch {
		case r.piece > 2*r.n:
			return 0, io.EOF
		case r.piece == 0:
			r.text.Reset([]byte("["))
		case r.piece == 2*r.n:
			r.text.Reset([]byte("]"))
		case r.piece%2 == 0:
			r.text.Reset([]byte(","))
		default:
			r.text.Reset(r.docs[r.piece/2%len(r.docs)].Data)
		}
		r.piece++
	}
	n, err := r.text.Read(b)
	r.read += int64(n)
	return n, err
}

func concludeImage(res *experiment.Result) []string {
	look := func(what string) (row *experiment.Row, ms, size, text experiment.Stat) {
		ms, size, text = experiment.Stat{Median: math.NaN()}, experiment.Stat{Median: math.NaN()}, experiment.Stat{Median: math.NaN()}
		row = res.Find(experiment.Cfg("what", what))
		for _, s := range row.Stats() {
			switch s.Metric {
			case "ms":
				ms = s
			case "image-bytes":
				size = s
			case "json-bytes":
				text = s
			}
		}
		return row, ms, size, text
	}
	trusted, quick, size, _ := look(imageTrusted)
	verified, checked, _, _ := look(imageVerified)
	_, parsed, _, text := look(imageParsed)
	lines := experiment.Say(nil, "Opening a trusted image of %.1f MiB takes %v ms, which is %v times as fast as parsing its %.1f MiB of JSON, in %v ms.",
		size.Median/(1<<20), quick, res.Ratio(trusted), text.Median/(1<<20), parsed)
	return experiment.Say(lines, "With every check it takes %v ms: %v GiB/s, %v times as fast as parsing.", checked, verified.Stat().Times(1.0/(1<<30)), res.Ratio(verified))
}
