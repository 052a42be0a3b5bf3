package objects_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// A graph is frozen, written to a file, and opened by another runtime, as another process
// would open it.
func ExampleList_frozen() {
	folder, err := os.MkdirTemp("", "frozen")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	image := filepath.Join(folder, "catalog.image")

	maker, err := rt.New(rt.Options{})
	if err != nil {
		log.Fatal(err)
	}
	err = maker.Do(func(t *rt.Thread) error {
		catalog, err := objects.FromJSON(t, strings.NewReader(`[{"name": "tea"}, {"name": "coffee"}]`))
		if err != nil {
			return err
		}
		defer t.DecRef(catalog) // the copy does not need it
		frozen, err := t.Freeze(catalog)
		if err != nil {
			return err
		}
		err = objects.List(frozen.Root()).Append(t, rt.None)
		fmt.Println(errors.Is(err, rt.ErrFrozen))
		return frozen.WriteFile(image)
	})
	if err := errors.Join(err, maker.Close()); err != nil {
		log.Fatal(err)
	}

	reader, err := rt.New(rt.Options{Mode: rt.GIL})
	if err != nil {
		log.Fatal(err)
	}
	frozen, err := reader.OpenImage(image)
	if err != nil {
		log.Fatal(err)
	}
	err = reader.Do(func(t *rt.Thread) error {
		text, err := objects.AppendJSON(t, nil, frozen.Root())
		fmt.Println(string(text))
		return err
	})
	fmt.Println(errors.Join(err, reader.Unload(frozen), reader.Close()))
	// Output:
	// true
	// [{"name":"tea"},{"name":"coffee"}]
	// <nil>
}
