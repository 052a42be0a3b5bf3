package image

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/bench/internal/benchtest"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

const imageDoc = `{"list":[{"name":"tea","price":1.50},{"name":"\u65e5\u672c","price":12345678901}],` +
	`"a b":{"":[],"x.y":{"q\"[]":null}},"deep":[[[true,false,-3]]],"num":1e400}`

// call runs the command and returns its exit code and what it wrote.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return callWith(t.Context(), args...)
}

func callWith(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var c struct {
		Image Flags `cmd:""`
	}
	return benchtest.Call(ctx, &c, func(called string, stdout, _ io.Writer) error { return Run(ctx, called, &c.Image, stdout) }, args...)
}

// buildTestImage builds an image of the documents with the command, and returns its name.
func buildTestImage(t *testing.T, flags []string, docs ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "test.img")
	args := append([]string{"image", "build", "-o", out}, flags...)
	for i, d := range docs {
		args = append(args, benchtest.Write(t, fmt.Sprintf("doc%d.json", i), []byte(d)))
	}
	code, stdout, stderr := call(t, args...)
	if code != command.ExitOK || stderr != "" || !strings.HasPrefix(stdout, out+": ") || !strings.Contains(stdout, " objects in ") {
		t.Fatalf("build: exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	return out
}

func TestImageCat(t *testing.T) {
	one := buildTestImage(t, nil, imageDoc)
	two := buildTestImage(t, []string{"-share-equal"}, imageDoc, `[1,{"k":"v"}]`)
	for _, c := range []struct{ image, path, want string }{
		{one, "", strings.NewReplacer(`\u65e5`, "日", `\u672c`, "本").Replace(imageDoc)},
		{one, "list[1].name", `"日本"`},
		{one, ".list[0].price", "1.50"},
		{one, "list[01]", `{"name":"日本","price":12345678901}`},
		{one, `["a b"]`, `{"":[],"x.y":{"q\"[]":null}}`},
		{one, `["a b"][""]`, "[]"},
		{one, `["a b"]["x.y"]["q\"[]"]`, "null"},
		{one, `["\u0061 b"]["x.y"]`, `{"q\"[]":null}`},
		{one, "deep[0][0][2]", "-3"},
		{one, "num", "1e400"},
		{two, "doc1[1].k", `"v"`},
		{two, "doc0.list[0].name", `"tea"`},
	} {
		code, stdout, stderr := call(t, "image", "cat", c.image, c.path)
		if code != command.ExitOK || stderr != "" || stdout != c.want+"\n" {
			t.Errorf("%s: exit %d, stdout %q, want %q, stderr %q", c.path, code, stdout, c.want, stderr)
		}
	}
}

func TestImageCatNothingThere(t *testing.T) {
	image := buildTestImage(t, nil, imageDoc)
	for _, c := range []struct {
		code       int
		path, want string
	}{
		{command.ExitFailed, "list[2].name", `path list[2]: index 2 is out of range: the length is 2`},
		{command.ExitFailed, "list[99999999999999999999]", fmt.Sprintf("path list[99999999999999999999]: index %d is out of range", math.MaxInt)},
		{command.ExitFailed, "list[0].nam", `path list[0].nam: no key "nam" in a dict of 2 entries`},
		{command.ExitFailed, "list.name", `path list.name: no key "name": this is not a dict but a value of type list`},
		{command.ExitFailed, "num[0]", `path num[0]: no index 0: this is not a list but a value of type number`},
		{command.ExitFailed, "deep[0][0][2].x", `no key "x": this is not a dict but a value of type int`},
		{command.ExitUsage, "list[", `path list[: byte 5: expected an index or a quoted key, found the end`},
		{command.ExitUsage, "list[-1]", `path list[-1]: byte 5: expected an index or a quoted key, found "-"`},
		{command.ExitUsage, "list[0", `path list[0: byte 6: expected ']', found the end`},
		{command.ExitUsage, "list[0x]", `byte 6: expected ']', found "x"`},
		{command.ExitUsage, "list[0]name", `byte 7: expected '.' or '[', found "n"`},
		{command.ExitUsage, "list..name", `byte 5: expected a key, found "."`},
		{command.ExitUsage, "list.", `byte 5: expected a key, found the end`},
		{command.ExitUsage, "list]", `byte 4: expected '.' or '[' after a key, found "]"`},
		{command.ExitUsage, "a b", `byte 1: expected '.' or '[' after a key, found " "`},
		{command.ExitUsage, `["a b`, `byte 1: expected a key as a JSON string`},
		{command.ExitUsage, `["a\`, `byte 1: expected a key as a JSON string`},
		{command.ExitUsage, `["a\q"]`, `byte 1: expected a key as a JSON string`},
		{command.ExitUsage, `["a"`, `byte 4: expected ']', found the end`},
		{command.ExitUsage, `x[日`, `byte 2: expected an index or a quoted key, found "日"`},
	} {
		code, stdout, stderr := call(t, "image", "cat", image, c.path)
		if code != c.code || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q, want %q", c.path, code, stdout, stderr, c.want)
		}
	}
}

// One is not several.
func TestImageCounts(t *testing.T) {
	for doc, want := range map[string]string{`{"a":1}`: "dict of 1 entry\n", `[1]`: "list of 1 item\n", `[1,2]`: "list of 2 items\n"} {
		image := buildTestImage(t, nil, doc)
		if _, stdout, _ := call(t, "image", "info", image); !strings.Contains(stdout, "root     "+want) {
			t.Errorf("%s: no %q in\n%s", doc, want, stdout)
		}
	}
	if _, _, stderr := call(t, "image", "cat", buildTestImage(t, nil, `{"a":1}`), "b"); !strings.HasSuffix(stderr, "in a dict of 1 entry\n") {
		t.Errorf("stderr %q", stderr)
	}
	if _, _, stderr := call(t, "image", "cat", buildTestImage(t, nil, `[1]`), "[1]"); !strings.HasSuffix(stderr, "the length is 1\n") {
		t.Errorf("stderr %q", stderr)
	}
}

func TestImageInfoAndVerify(t *testing.T) {
	image := buildTestImage(t, nil, imageDoc, imageDoc)
	code, stdout, stderr := call(t, "image", "info", image)
	if code != command.ExitOK || stderr != "" {
		t.Errorf("info: exit %d, stderr %q", code, stderr)
	}
	for _, want := range []string{"format   version 2, ", "root     dict of 2 entries", "mapped: ", "bytes each", "  number "} {
		if !strings.Contains(stdout, want) {
			t.Errorf("info has no %q in\n%s", want, stdout)
		}
	}
	code, stdout, stderr = call(t, "image", "verify", image)
	if code != command.ExitOK || stderr != "" || !strings.Contains(stdout, ": sound: ") || !strings.Contains(stdout, " GiB/s\n") {
		t.Errorf("verify: exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if folder, err := os.ReadDir(filepath.Dir(image)); err != nil || len(folder) != 1 {
		t.Errorf("beside the image there is something: %v, %v", folder, err)
	}
}

// Type names from an image are quoted, because they may contain terminal codes.
func TestImageInfoQuotes(t *testing.T) {
	y, err := objects.DefineRecord("red ink", "a\x1b[2J")
	if err != nil {
		t.Fatal(err)
	}
	r, err := rt.New(rt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(t.TempDir(), "red.img")
	err = r.Do(func(th *rt.Thread) error {
		x, err := y.New(th, rt.None)
		if err != nil {
			return err
		}
		defer th.DecRef(x)
		f, err := th.Freeze(x)
		if err != nil {
			return err
		}
		return errors.Join(f.WriteFile(image), th.Unload(f))
	})
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := call(t, "image", "info", image)
	if code != command.ExitOK || stderr != "" || strings.Contains(stdout, "\x1b") || !strings.Contains(stdout, `"red ink" with the layout "record: version, \"a\\x1b`) {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Nothing is written into the current folder unasked.
func TestImageBuildNames(t *testing.T) {
	doc := benchtest.Write(t, "first.json.gz", gzipped(t, "[1]"))
	t.Chdir(t.TempDir())
	if code, stdout, stderr := call(t, "image", "build", doc); code != command.ExitUsage || stdout != "" || stderr != "bench: missing flags: -o=FILE\n" {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
	if code, stdout, stderr := call(t, "image", "build", doc, "-o", "first.img"); code != command.ExitOK || !strings.HasPrefix(stdout, "first.img: ") {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	if code, stdout, _ := call(t, "image", "cat", "first.img", "[0]"); code != command.ExitOK || stdout != "1\n" {
		t.Errorf("exit %d, stdout %q", code, stdout)
	}
}

func TestImageUsage(t *testing.T) {
	image := buildTestImage(t, nil, imageDoc)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, command.ExitUsage, `expected one of "build", "info", "verify", "cat"`},
		{[]string{"build", "-o", image}, command.ExitUsage, `expected "<files> ..."`},
		{[]string{"build", "-o"}, command.ExitUsage, "flag -o needs a value"},
		{[]string{"verify"}, command.ExitUsage, `expected "<image>"`},
		{[]string{"info", image, "x"}, command.ExitUsage, "unexpected argument x"},
		{[]string{"cat", image, "-count", "3"}, command.ExitUsage, "unknown flag -count"},
		{[]string{"build", "-o", filepath.Join(image, "x"), benchtest.Write(t, "x", []byte("1"))}, command.ExitUsage, "-o: write to " + image},
		{[]string{"build", "-o", image, benchtest.Write(t, "x", []byte("[1"))}, command.ExitUsage, "byte 2: expected ',' or ']'"},
		{[]string{"build", "-o", image, benchtest.Write(t, "x", []byte(`{"a":1,"a":2}`))}, command.ExitUsage, "byte"},
		{[]string{"build", "-o", image, filepath.Join(t.TempDir(), "none")}, command.ExitUsage, "expected a file, found none"},
		{[]string{"verify", filepath.Join(t.TempDir(), "none")}, command.ExitFailed, "none: "},
		{[]string{"info", t.TempDir()}, command.ExitFailed, "not a regular file"},
	} {
		code, stdout, stderr := call(t, append([]string{"image"}, c.args...)...)
		if code != c.code || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", c.args, code, stdout, stderr)
		}
	}
	for _, args := range []string{"image -h", "image build -h", "image info -h", "image verify -help", "image cat --help"} {
		if code, stdout, stderr := call(t, strings.Fields(args)...); code != command.ExitOK || stderr != "" || !strings.Contains(stdout, "Usage: bench image") {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
	// Failed commands have left the existing image unchanged.
	if code, _, stderr := call(t, "image", "verify", image); code != command.ExitOK {
		t.Errorf("the image was changed: %s", stderr)
	}
}

// A place where no image can be is found before the documents are read.
func TestImageBuildFindsPlace(t *testing.T) {
	folder := t.TempDir()
	for out, want := range map[string]string{filepath.Join(folder, "none", "a.img"): "none", folder: "is a folder"} {
		code, stdout, stderr := call(t, "image", "build", "-o", out, filepath.Join(folder, "missing.json"))
		if code != command.ExitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "-o: ") || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", out, code, stdout, stderr)
		}
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// An image never replaces a document that it is built from, under any name.
func TestImageBuildKeepsDocuments(t *testing.T) {
	folder := t.TempDir()
	doc, other, link := filepath.Join(folder, "doc.json"), filepath.Join(folder, "other.json"), filepath.Join(folder, "link")
	for _, file := range []string{doc, other} {
		if err := os.WriteFile(file, []byte(imageDoc), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(doc, link); err != nil {
		t.Skip("SKIPPED: no link can be made here, so a document with another name is not tried:", err)
	}
	for _, args := range [][]string{{doc, doc}, {link, doc}, {doc, link}, {filepath.Join(folder, ".", "doc.json"), other, doc}} {
		code, stdout, stderr := call(t, append([]string{"image", "build", "-o"}, args...)...)
		if code != command.ExitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "would replace the document") {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
	if b, err := os.ReadFile(doc); err != nil || string(b) != imageDoc {
		t.Errorf("the document is %q now, %v", b, err)
	}
	// The default name of an image can be that of a document.
	t.Chdir(folder)
	if err := os.Rename(other, "doc.img"); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := call(t, "image", "build", "doc.json", "doc.img"); code != command.ExitUsage {
		t.Errorf("exit %d, stderr %q", code, stderr)
	}
}

// Places in the header of an image, and where the objects begin: see docs/images.md.
const (
	imageDataHash   = 64
	imageHeaderHash = 72
	imageObjects    = 16384
)

// resealed returns a tampered image with matching checksums.
func resealed(b []byte, objects int) []byte {
	binary.LittleEndian.PutUint64(b[imageDataHash:], xxhash.Sum64(b[imageObjects:imageObjects+objects]))
	binary.LittleEndian.PutUint64(b[imageHeaderHash:], xxhash.Sum64(b[:imageHeaderHash]))
	return b
}

// No image is trusted: images are cut, or have a flipped bit, with and without matching checksums.
func TestImageHostile(t *testing.T) {
	image := buildTestImage(t, nil, imageDoc)
	good, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	n := len(good) - imageObjects
	if !bytes.Equal(resealed(bytes.Clone(good), n), good) {
		t.Fatal("the checksums are not where this test has them")
	}
	file := filepath.Join(t.TempDir(), "bad.img")
	bad := func(what string, b []byte) bool {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := call(t, "image", "verify", file)
		if code == command.ExitOK {
			return false
		}
		if code != command.ExitFailed || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, file) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", what, code, stdout, stderr)
		}
		return true
	}
	for _, size := range []int{0, 7, 79, 80, imageObjects - 1, imageObjects, len(good) - 16, len(good) - 1, len(good) + 1} {
		if !bad(fmt.Sprintf("%d bytes", size), append(bytes.Clone(good), 0)[:size]) {
			t.Errorf("%d prefixes of %d bytes are sound", size, len(good))
		}
	}
	for at := rand.IntN(3); at < len(good); at += 3 {
		if at >= 80 && at < imageObjects && at%97 > 2 {
			continue // zeros, which are checked together
		}
		b := bytes.Clone(good)
		b[at] ^= 1 << (at % 8)
		if !bad(fmt.Sprintf("byte %d", at), b) {
			t.Errorf("it is sound with a flipped bit in byte %d", at)
		}
	}
	refused, tried := 0, 0
	for at := rand.IntN(3); at < n; at += 3 { // a third of them, another one each time
		tried++
		b := bytes.Clone(good)
		b[imageObjects+at] ^= 0x80 >> (at % 8)
		if bad(fmt.Sprintf("objects byte %d", at), resealed(b, n)) {
			refused++
			continue
		}
		// A changed image that passes all checks is an image of something else.
		if code, stdout, stderr := call(t, "image", "cat", file); code != command.ExitOK && code != command.ExitFailed {
			t.Errorf("byte %d: exit %d, stdout %q, stderr %q", at, code, stdout, stderr)
		}
	}
	// A hash reveals a changed text. A float may have any value.
	if refused < tried*9/10 {
		t.Errorf("%d of %d bytes of objects can be changed unnoticed", tried-refused, tried)
	}
}

// Ctrl-C ends each command at once. It prints nothing and leaves no file.
func TestImageInterrupted(t *testing.T) {
	image := buildTestImage(t, nil, imageDoc)
	doc := benchtest.Write(t, "doc.json", []byte(imageDoc))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	folder := t.TempDir()
	for _, args := range [][]string{
		{"build", "-o", filepath.Join(folder, "new.img"), doc}, {"info", image}, {"verify", image}, {"cat", image},
	} {
		code, _, stderr := callWith(ctx, append([]string{"image"}, args...)...)
		// A command other than build may succeed if it ends before it checks for interrupts.
		if code != command.ExitInterrupted && (code != command.ExitOK || args[0] == "build") || stderr != "" {
			t.Errorf("%s: exit %d, stderr %q", args[0], code, stderr)
		}
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
