package main

import (
	"bytes"
	"fmt"
	"go/format"
	"go/types"
	"strings"
)

// Atomics returns on.go of a package of atomic types: each type has the original inside, and each
// method a point before the original's.
func (t Twin) Atomics() ([]byte, error) {
	p, err := load("", t.Original)
	if err != nil {
		return nil, err
	}
	imports := map[string]bool{}
	qualify := func(q *types.Package) string {
		if q == p {
			return "" // the twin's own type
		}
		imports[q.Path()] = true
		return q.Name()
	}
	var b bytes.Buffer
	for _, name := range p.Scope().Names() {
		o := p.Scope().Lookup(name)
		if !o.Exported() {
			continue
		}
		switch o := o.(type) {
		case *types.TypeName:
			atomicType(&b, o, qualify)
		case *types.Func:
			atomicFunc(&b, o, qualify)
		}
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "//go:build explore\n\n%spackage %s\n\nimport (\n", notice, t.Folder)
	for _, path := range []string{"time", "unsafe"} {
		if path == "unsafe" || imports[path] {
			fmt.Fprintf(&out, "%q\n", path)
		}
	}
	if strings.Contains(t.Original, ".") {
		out.WriteString("\n")
	}
	fmt.Fprintf(&out, "original %q\n\n\"github.com/ichor-go/ichor/internal/point\"\n\"github.com/ichor-go/ichor/proptest/explore/internal/engine\"\n)\n\n", t.Original)
	out.Write(b.Bytes())
	return format.Source(out.Bytes())
}

// atomicType writes a type and its methods.
func atomicType(b *bytes.Buffer, o *types.TypeName, qualify types.Qualifier) {
	n := o.Type().(*types.Named)
	declared, used := parameters(n.TypeParams(), qualify)
	fmt.Fprintf(b, "// %s is [original.%s] with a point before each operation.\ntype %s%s struct{ v original.%s%s }\n\n", o.Name(), o.Name(), o.Name(), declared, o.Name(), used)
	set := types.NewMethodSet(types.NewPointer(n))
	for i := range set.Len() {
		m := set.At(i).Obj().(*types.Func)
		if !m.Exported() {
			continue
		}
		s := set.At(i).Type().(*types.Signature)
		head := fmt.Sprintf("func (x *%s%s) %s", o.Name(), used, m.Name())
		operation(b, m.Name(), head, s, "unsafe.Pointer(x)", "unsafe.Sizeof(*x)", "x.v."+m.Name(), qualify, 0)
	}
}

// atomicFunc writes a function: one that makes a type's value, or one on a word.
func atomicFunc(b *bytes.Buffer, o *types.Func, qualify types.Qualifier) {
	s := o.Type().(*types.Signature)
	declared, used := parameters(s.TypeParams(), qualify)
	if made, ok := strings.CutPrefix(o.Name(), "New"); ok {
		arg := s.Params().At(0)
		fmt.Fprintf(b, "// %s returns a value with a point before each operation.\nfunc %s%s(%s %s) *%s%s {\nx := new(%s%s)\nx.v.Store(%s)\nreturn x\n}\n\n",
			o.Name(), o.Name(), declared, arg.Name(), types.TypeString(arg.Type(), qualify), made, used, made, used, arg.Name())
		return
	}
	operation(b, o.Name(), "func "+o.Name()+declared, s, "unsafe.Pointer(addr)", "unsafe.Sizeof(*addr)", "original."+o.Name()+used, qualify, 1)
}

// operation writes a function with a point before the original's. skip is the number of parameters
// that are not values.
func operation(b *bytes.Buffer, name, head string, s *types.Signature, addr, size, call string, qualify types.Qualifier, skip int) {
	var params, args, values []string
	for i := range s.Params().Len() {
		v := s.Params().At(i)
		arg := v.Name()
		if arg == "" || arg == "_" {
			arg = fmt.Sprint("a", i)
		}
		if arg == "x" {
			arg = "value"
		}
		params = append(params, arg+" "+types.TypeString(v.Type(), qualify))
		args = append(args, arg)
		if i >= skip {
			values = append(values, arg)
		}
	}
	var results, got []string
	for i := range s.Results().Len() {
		results = append(results, types.TypeString(s.Results().At(i).Type(), qualify))
		got = append(got, fmt.Sprint("r", i))
	}
	kind := "AtomicUpdate"
	switch {
	case strings.HasPrefix(name, "Load"), name == "String", strings.HasPrefix(name, "Marshal"):
		kind = "AtomicLoad"
	case strings.HasPrefix(name, "Store"), strings.HasPrefix(name, "Unmarshal"):
		kind = "AtomicStore"
	}
	what := strings.TrimRight(name, "0123456789")
	for _, suffix := range []string{"Int", "Uint", "Uintptr", "Pointer"} {
		if skip > 0 {
			what = strings.TrimSuffix(what, suffix)
		}
	}
	fmt.Fprintf(b, "//go:norace\n%s(%s) ", head, strings.Join(params, ", "))
	if len(results) > 1 {
		fmt.Fprintf(b, "(%s)", strings.Join(results, ", "))
	} else {
		b.WriteString(strings.Join(results, ""))
	}
	fmt.Fprintf(b, " {\nt := engine.Me()\nif t != nil {\nt.At(point.%s, %s, %s, %q)\n}\n", kind, addr, size, what)
	whole := call + "(" + strings.Join(args, ", ") + ")"
	if len(got) > 0 {
		fmt.Fprintf(b, "%s := %s\n", strings.Join(got, ", "), whole)
	} else {
		b.WriteString(whole + "\n")
	}
	if strings.HasPrefix(name, "CAS") || strings.HasPrefix(name, "CompareAndSwap") {
		b.WriteString("if t != nil && !r0 {\nt.Unchanged()\n}\n")
	}
	list := func(names []string) string {
		if len(names) == 0 {
			return "nil"
		}
		return "[]any{" + strings.Join(names, ", ") + "}"
	}
	fmt.Fprintf(b, "if t != nil && t.Traced() {\nt.Values(%s, %s)\n}\n", list(values), list(got))
	if len(got) > 0 {
		fmt.Fprintf(b, "return %s\n", strings.Join(got, ", "))
	}
	b.WriteString("}\n\n")
}
