package starlark

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// A module image is a module that has run, in a file that is mapped instead of being parsed,
// resolved, compiled and run. It is an image of the runtime, whose root is a tuple:
//
//	item         what
//	version      bytes: of the instructions and of the encoding
//	modules      a tuple for each module, the one that was written first: the file's name, a
//	             dict from the names of the global variables to their numbers, a tuple of the
//	             names, and a tuple of bytes with the values
//	objects      a tuple of bytes, one for each object that is shared, large or a container
//	codes        a tuple of bytes, one for each function of the programs
//	predeclared  a tuple of the names that the modules use of what the machine predeclares
//
// Opening looks at none of the bytes. A global variable is made from them when it is first
// used, with everything that it leads to, as immortal objects of the machine: imageread.go.
// So processes share the file's memory, but not the objects that are made from it.
//
//	state of a global variable — condition — transition (by)
//	asleep — its slot is empty — awake (the first thread that uses it, with the lock of the
//	    image; others wait for it outside the world)
//	awake — its slot has a value — for good
//
//	state of an object or a code — condition — transition (by)
//	asleep — not in moduleImage.objects or codes — awake (wake), for good, unless wake fails
type moduleImage struct {
	m       *Machine
	frozen  *rt.Frozen
	modules []*Module
	objs    objects.Tuple
	codeTab objects.Tuple

	mu      sync.Mutex // guards what follows; taken in Blocking
	objects map[int]Value
	codes   map[int]*code
	woken   int // global variables
}

// imageVersion changes when the encoding or the meaning of instructions does.
var imageVersion = fmt.Sprintf("starlark module, encoding 2, %d instructions, %d kinds", opLoad+1, kinds)

// ImageError says why a module is not written to an image, or not opened.
type ImageError struct {
	Path string // to the value, or the file
	Err  error
}

// Error says what is wrong and where.
func (e *ImageError) Error() string { return e.Path + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ImageError) Unwrap() error { return e.Err }

// Maximal number of global variables that are woken together.
const wakeTogether = 256

// OpenImage opens a module that WriteImage has written. It has run already: Run does nothing.
// Its values are frozen. The machine must predeclare all names that the module uses. What the
// options trust is the file's integrity; the code in it is always trusted.
func (th *Thread) OpenImage(path string, opts ...rt.ImageOptions) (*Module, error) {
	f, err := th.m.rt.OpenImage(path, opts...)
	if err != nil {
		return nil, err
	}
	mod, err := th.openImage(f)
	if err != nil {
		return nil, &ImageError{path, errors.Join(err, th.t.Unload(f))}
	}
	return mod, nil
}

func (th *Thread) openImage(f *rt.Frozen) (*Module, error) {
	t := th.t
	root := objects.Tuple(f.Root())
	if root.Len(t) != 5 {
		return nil, errors.New("not a module")
	}
	if v, _ := objects.Bytes(at(t, root, 0)).View(t); string(v) != imageVersion {
		return nil, fmt.Errorf("is of the version %.100q, this machine has %q", v, imageVersion)
	}
	x := &moduleImage{m: th.m, frozen: f, objs: objects.Tuple(at(t, root, 2)), codeTab: objects.Tuple(at(t, root, 3)),
		objects: map[int]Value{}, codes: map[int]*code{}}
	names := objects.Tuple(at(t, root, 4))
	for i := range names.Len(t) {
		name, _ := objects.String(at(t, names, i)).View(t)
		if _, err := th.predeclared(name); err != nil {
			return nil, err
		}
	}
	mods := objects.Tuple(at(t, root, 1))
	err := th.immortally(func() error {
		for i := range mods.Len(t) {
			parts := objects.Tuple(at(t, mods, i))
			file, _ := objects.String(at(t, parts, 0)).View(t)
			mod := &Module{m: th.m, file: strings.Clone(file), image: x,
				index: objects.Dict(at(t, parts, 1)), texts: objects.Tuple(at(t, parts, 2)), asleep: objects.Tuple(at(t, parts, 3))}
			var err error
			if mod.globals, err = th.newGlobals(mod.texts.Len(t)); err != nil {
				return err
			}
			x.modules = append(x.modules, mod)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(x.modules) == 0 {
		return nil, errors.New("no module")
	}
	return x.modules[0], nil
}

// at returns item i of a tuple as a borrowed reference.
func at(t *rt.Thread, s objects.Tuple, i int) rt.Ref {
	r, _ := s.At(t, i)
	return r
}

// predeclared returns the value of a name that the machine predeclares. The part of the name
// behind a dot is a member of a module.
func (th *Thread) predeclared(name string) (Value, error) {
	first, member, dot := strings.Cut(name, ".")
	v, ok := th.m.universe[first]
	if !ok {
		th.m.mu.Lock()
		v, ok = th.m.predecl[first]
		th.m.mu.Unlock()
	}
	if ok && dot {
		if k := th.kind(v); k == kModule || k == kStruct {
			v = th.structGet(v, member)
		} else {
			v = 0
		}
		ok = v != 0
	}
	if !ok {
		return 0, fmt.Errorf("uses the predeclared name %s, which this machine does not have", name)
	}
	return v.borrowed(), nil
}

// nameAt returns the name of global variable i.
func (mod *Module) nameAt(th *Thread, i int) string {
	if mod.image == nil {
		return mod.names[i]
	}
	s, _ := objects.String(at(th.t, mod.texts, i)).View(th.t)
	return strings.Clone(s)
}

// slotOf returns the number of a global variable, or -1.
func (mod *Module) slotOf(th *Thread, name string) int {
	if mod.image == nil {
		return slices.Index(mod.names, name)
	}
	if r, ok := mod.index.LookupString(th.t, name); ok && r.IsInt() {
		return int(r.Int())
	}
	return -1
}

// global returns what the slot of global variable i holds, or Nil. It wakes the variable if it
// has to.
func (th *Thread) global(mod *Module, i int) (rt.Ref, error) {
	r := th.t.Body(mod.globals.ref()).LoadRef(globalsSlots + i)
	if !r.IsNil() || mod.image == nil {
		return r, nil
	}
	if err := mod.image.wake(th, mod, i); err != nil {
		return rt.Nil, err
	}
	return th.t.Body(mod.globals.ref()).LoadRef(globalsSlots + i), nil
}

// WriteImage writes a module that has run to a file, with the modules whose functions it uses.
// It freezes their global variables. The file appears as a whole or not at all. Values of the
// host other than functions and modules that are predeclared cannot be in an image; the error
// is an *ImageError with the path to the value.
func (th *Thread) WriteImage(ctx context.Context, mod *Module, path string) error {
	root, err := th.imageRoot(mod)
	if err != nil {
		return th.limitError(err)
	}
	defer th.t.DecRef(root)
	f, err := th.t.FreezeContext(ctx, root)
	if err != nil {
		return th.limitError(err)
	}
	return errors.Join(f.WriteFileContext(ctx, path), th.t.Unload(f))
}
