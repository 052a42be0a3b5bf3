package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc/mem"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// TestMain runs the command itself in the processes of rows.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasSuffix(os.Args[1], "-child") {
		main()
	}
	os.Exit(m.Run())
}

func call(t *testing.T, args string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	err := run(t.Context(), strings.Fields(args), &out, &errs)
	return command.Code(t.Context(), name, err, &errs), out.String(), errs.String()
}

// Every scenario measures all its rows, and has a note about each peer.
func TestScenarios(t *testing.T) {
	for scenario, rows := range map[string]int{"pair": 12, "contend": 2 * 7, "dict": 2 * (8 + 6 + 6), "allocate": 2 * 7, "cache": 8, "vms": 5 * 2} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			code, out, errs := call(t, "-format json -benchtime 100x -count 1 -threads 1,2 -objects 8000 -vms 3 -scenario "+scenario)
			if code != 0 || errs != "" || strings.Count(out, `"median"`) < rows || strings.Count(out, `"config":{"`) != rows {
				t.Errorf("exit code %d, %d rows, %s\n%s", code, strings.Count(out, `"config":{"`), errs, out)
			}
			code, out, _ = call(t, "-benchtime 100x -count 1 -threads 1 -objects 800 -vms 2 -scenario "+scenario)
			if code != 0 || strings.Contains(out, "NaN") {
				t.Errorf("exit code %d:\n%s", code, out)
			}
			for line := range strings.Lines(out) {
				if strings.HasSuffix(line, ": \n") {
					t.Errorf("nothing is said of %s", line)
				}
			}
		})
	}
}

func TestUsage(t *testing.T) {
	for args, want := range map[string]string{
		"-objects 7":          `peers: -objects: "7" is not a number from 8 to 200000000`,
		"-vms x":              `peers: -vms: "x" is not a number from 1 to 256`,
		"-scenario pair,none": `peers: unknown scenario "none"; known: pair, contend, dict, allocate, cache, vms`,
		"cache-child nowhere": `peers: unknown store "nowhere"`,
		"vms-child perl 1":    `peers: unknown engine "perl"`,
	} {
		if code, out, errs := call(t, args); code == 0 || out != "" || errs != want+"\n" {
			t.Errorf("%s: exit code %d, %q, %q", args, code, out, errs)
		}
	}
	if code, out, _ := call(t, "list"); code != 0 || strings.Count(out, "?") != 6 {
		t.Errorf("list: exit code %d\n%s", code, out)
	}
}

// freed counts the buffers given back to an Arrow allocator or a gRPC pool.
type freed struct {
	memory.Allocator
	mem.BufferPool
	n int
}

func (f *freed) Free(b []byte) { f.n++; f.Allocator.Free(b) }
func (f *freed) Put(b *[]byte) { f.n++; f.BufferPool.Put(b) }

// The measured buffers are counted. Both libraries have buffers that are not.
func TestPeersCount(t *testing.T) {
	f := &freed{Allocator: memory.NewGoAllocator(), BufferPool: mem.DefaultBufferPool()}
	a := newArrowBuffer(f)
	a.Retain()
	a.Release()
	if f.n != 0 {
		t.Error("arrow: the buffer was freed too early")
	}
	if a.Release(); f.n != 1 {
		t.Error("arrow: the buffer is not counted")
	}
	g := newGRPCBuffer(f)
	g.Ref()
	g.Free()
	if f.n != 1 {
		t.Error("grpc: the buffer was freed too early")
	}
	if g.Free(); f.n != 2 {
		t.Error("grpc: the buffer is not counted")
	}
}

// All objects of the scenario allocate have the same size.
func TestAllocatedBytes(t *testing.T) {
	r, err := rt.New(rt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var pair rt.Ref
	err = r.Do(func(t *rt.Thread) (err error) {
		pair, err = objects.NewTuple(t, rt.None, rt.None)
		return err
	})
	if n := r.Memory().ObjectBytes; err != nil || n != allocatedBytes || reflect.TypeFor[pairOfWords]().Size() != allocatedBytes {
		t.Errorf("%v, %d bytes and %d", err, n, reflect.TypeFor[pairOfWords]().Size())
	}
	err = r.Do(func(t *rt.Thread) error {
		t.DecRef(pair)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// A script's wrong sum is detected.
type wrongEngine struct{}

func (wrongEngine) sum(int, int) (float64, error) { return 1, nil }

func TestChecks(t *testing.T) {
	if err := checkedSum(wrongEngine{}, 10, 0, 5); err == nil {
		t.Error("a wrong sum was accepted")
	}
	s := &goCache{}
	if err := s.build(100); err != nil {
		t.Fatal(err)
	}
	for _, e := range s.chunks[0] {
		e["stock"] = int64(-1)
	}
	if _, err := loadCache(s, 100, cacheCycles, experiment.Budget{Ops: 1}); err == nil {
		t.Error("a wrong entry was accepted")
	}
}

// TestHandoff builds the program for malloc, and has it pass a few blocks.
func TestHandoff(t *testing.T) {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("SKIPPED: there is no gcc, so the program for malloc is not built")
	}
	program := filepath.Join(t.TempDir(), "handoff")
	if out, err := exec.Command(gcc, "-O2", "-Wall", "-Werror", "-fno-builtin", "-pthread", "-o", program, "malloc/handoff.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(program, "20").CombinedOutput()
	var own, foreign, ratio float64
	if n, _ := fmt.Sscanf(string(out), "maker %f, another thread %f, ratio %f\n", &own, &foreign, &ratio); err != nil || n != 3 || own <= 0 || foreign <= 0 || ratio <= 0 {
		t.Errorf("%v: %q", err, out)
	}
}
