package main

import (
	"os"
	"strings"
	"testing"
)

// TestMain runs as the worker program if there is a word among the arguments.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestWorkers(t *testing.T) {
	out := os.Stdout
	defer func() { os.Stdout = out }()
	f, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	os.Stdout = f // also that of the workers
	if err := parent(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(f.Name())
	if want := "tea: 3\ncoffee: 4\n"; err != nil || string(got) != want {
		t.Fatalf("%q, %v, want %q", got, err, want)
	}
}
