// Package image is the command that builds images, which are frozen graphs as files, and shows
// what is in them.
//
// One goroutine at a time calls it.
package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ichor-go/ichor/bench/documents"
	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/bench/internal/interruptible"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// Flags are the commands of `bench image`, and their flags.
type Flags struct {
	Build struct {
		O          string   `name:"o" required:"" placeholder:"FILE" help:"Where the image goes; never over one of the documents."`
		ShareEqual bool     `name:"share-equal" help:"Make equal ints, floats, numbers and bytes one object; equal strings always are."`
		Files      []string `arg:"" name:"files" help:"JSON documents, plain, .gz or .zst, 1 GiB of JSON at most. The root of the image is the document, or a dict of the documents by name if there are several."`
	} `cmd:"" help:"Freeze JSON documents and write the image, as a whole or not at all."`
	Info struct {
		Image string `arg:"" help:"The image."`
	} `cmd:"" help:"Show what an image contains: format, root, objects and bytes by type."`
	Verify struct {
		Image string `arg:"" help:"The image."`
	} `cmd:"" help:"Open an image with every check, and say how long that took. The exit status is 1 if it is not sound."`
	Cat struct {
		Image string `arg:"" help:"The image."`
		Path  string `arg:"" optional:"" help:"Which value (default: all). Keys after a dot, indexes in brackets, other keys in brackets and quotes: statuses[3].user[\"a b\"]."`
	} `cmd:"" help:"Print the JSON of a value of an image."`
}

// Run runs one of the commands, called by the name that command.Parse returns.
func Run(ctx context.Context, called string, f *Flags, stdout io.Writer) error {
	switch called {
	case "image build <files>":
		return build(ctx, f.Build.O, f.Build.ShareEqual, f.Build.Files, stdout)
	case "image info <image>":
		return show(ctx, f.Info.Image, stdout)
	case "image verify <image>":
		return verify(ctx, f.Verify.Image, stdout)
	case "image cat <image>", "image cat <image> <path>":
		return cat(ctx, f.Cat.Image, f.Cat.Path, stdout)
	}
	return fmt.Errorf("image has no command %q", called)
}

// build freezes the documents in files, and writes the image to out.
func build(ctx context.Context, out string, shareEqual bool, files []string, stdout io.Writer) error {
	if in := sameFile(out, files); in != "" {
		return command.UsageError{Err: fmt.Errorf("the image %s would replace the document %s", out, in)}
	}
	if err := command.CheckFile(out); err != nil { // found now, and not after all is frozen
		return command.UsageError{Err: fmt.Errorf("-o: %w", err)}
	}
	docs, err := documents.Load(ctx, files)
	if err != nil {
		return err
	}
	r, err := experiment.NewRuntime(experiment.ModeGIL)
	if err != nil {
		return err
	}
	begin := time.Now()
	var f *rt.Frozen
	err = interruptible.Run(ctx, func() error {
		return r.Do(func(t *rt.Thread) error {
			root, err := documents.BuildAll(ctx, t, docs)
			if err != nil {
				return err
			}
			defer t.DecRef(root)
			f, err = t.Freeze(root, rt.FreezeOptions{ShareEqual: shareEqual})
			return err
		})
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		err = f.WriteFileContext(ctx, out)
	}
	text := 0
	for _, d := range docs {
		text += len(d.Data)
	}
	if err == nil {
		_, err = fmt.Fprintf(stdout, "%s: %d objects in %d bytes, from %d bytes of JSON, in %v\n",
			out, f.Objects(), f.Bytes(), text, time.Since(begin).Round(time.Millisecond))
	}
	return errors.Join(err, r.Close())
}

// sameFile returns the one of the files that name leads to as well, or "" if there is none.
func sameFile(name string, files []string) string {
	out, err := os.Stat(name)
	if err != nil {
		return "" // there is no such file, or writing it fails
	}
	for _, file := range files {
		if in, err := os.Stat(file); err == nil && os.SameFile(in, out) {
			return file
		}
	}
	return ""
}

// with opens an image, with every check, and calls fn.
func with(ctx context.Context, file string, fn func(t *rt.Thread, f *rt.Frozen) error) error {
	r, err := experiment.NewRuntime(experiment.ModeGIL)
	if err != nil {
		return err
	}
	err = interruptible.Run(ctx, func() error {
		f, err := r.OpenImage(file)
		if err != nil {
			return err
		}
		return r.Do(func(t *rt.Thread) error { return fn(t, f) })
	})
	if ctx.Err() != nil {
		return ctx.Err() // the goroutine may still be at work
	}
	return errors.Join(err, r.Close())
}

// show prints what is in an image.
func show(ctx context.Context, file string, stdout io.Writer) error {
	info, err := rt.ReadImageInfo(file)
	if err != nil {
		return err
	}
	return with(ctx, file, func(t *rt.Thread, f *rt.Frozen) error {
		var b strings.Builder
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		flag := map[bool]string{true: "yes", false: "no"}
		fmt.Fprintf(w, "file\t%d bytes\n", info.FileBytes)
		fmt.Fprintf(w, "format\tversion %d, %s, layout %#016x\n", info.Version, info.ByteOrder, info.Layout)
		fmt.Fprintf(w, "objects\t%d in %d bytes, xxHash64 %#016x\n", info.Objects, info.Bytes, info.Hash)
		fmt.Fprintf(w, "root\t%s\n", describeRoot(t, f.Root()))
		fmt.Fprintf(w, "opened\tmapped: %s, sealed: %s\n", flag[f.Mapped()], flag[f.Sealed()])
		for _, y := range info.Types {
			fmt.Fprintf(w, "type\t%s\n", y)
		}
		_ = w.Flush() // into memory
		w = tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintf(w, "\ntype\tobjects\tbytes\tbytes each\t%%\t\n")
		for _, y := range f.Types() {
			fmt.Fprintf(w, "%s\t%d\t%d\t%.1f\t%.1f\t\n", y.Type, y.Objects, y.Bytes,
				float64(y.Bytes)/float64(y.Objects), 100*float64(y.Bytes)/float64(info.Bytes))
		}
		_ = w.Flush() // into memory
		_, err := io.WriteString(stdout, b.String())
		return err
	})
}

// describeRoot says what kind of object r is, and how many elements it has.
func describeRoot(t *rt.Thread, r rt.Ref) string {
	switch t.Kind(r) {
	case rt.TypeDict:
		return "dict of " + counted(objects.Dict(r).Len(t), "entry", "entries")
	case rt.TypeList:
		return "list of " + counted(objects.List(r).Len(t), "item", "items")
	case rt.TypeTuple:
		return "tuple of " + counted(objects.Tuple(r).Len(t), "item", "items")
	}
	return t.TypeOf(r).Name + " " + objects.Format(t, r)
}

// counted writes 1 entry, or 2 entries.
func counted(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

// verify opens an image with every check, and prints how long that took.
func verify(ctx context.Context, file string, stdout io.Writer) error {
	begin := time.Now()
	return with(ctx, file, func(_ *rt.Thread, f *rt.Frozen) error {
		took := time.Since(begin)
		_, err := fmt.Fprintf(stdout, "%s: sound: %d objects in %d bytes, checked in %v, %.2f GiB/s\n",
			file, f.Objects(), f.Bytes(), took.Round(time.Microsecond), float64(f.Bytes())/(1<<30)/took.Seconds())
		return err
	})
}

// cat prints the JSON of the value at a path.
func cat(ctx context.Context, file, path string, stdout io.Writer) error {
	steps, err := parsePath(path)
	if err != nil {
		return command.UsageError{Err: fmt.Errorf("path %s: %w", path, err)}
	}
	return with(ctx, file, func(t *rt.Thread, f *rt.Frozen) error {
		r, err := followPath(t, f.Root(), path, steps)
		if err != nil {
			return err
		}
		if err := objects.ToJSON(t, untilDone{ctx, stdout}, r); err != nil {
			return err
		}
		_, err = io.WriteString(stdout, "\n")
		return err
	})
}

// untilDone is a writer that fails when ctx has ended.
type untilDone struct {
	ctx context.Context
	w   io.Writer
}

func (u untilDone) Write(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.w.Write(b)
}
