package overlay

import (
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strings"
)

// notesOnPackage notes what the explorer cannot look into: files of other languages,
// functions without a body, cgo.
func (l *loader) notesOnPackage(p *checked) []Note {
	var notes []Note
	for _, name := range p.listed.SFiles {
		notes = append(notes, Note{Position: l.firstFunction(filepath.Join(p.listed.Dir, name)), Package: p.listed.path(),
			Text: "assembly runs as one step, and its accesses are not checked"})
	}
	for _, syntax := range p.syntax {
		for _, spec := range syntax.Imports {
			if spec.Path.Value == `"C"` {
				notes = append(notes, l.noteAt(p, spec.Pos(), "calls of C run as one step, and their accesses are not checked"))
			}
		}
		names := linknames(syntax)
		for _, d := range syntax.Decls {
			d, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if call, _ := randomFunction(p, d, names); call != "" {
				delete(names, d.Name.Name)
			} else if d.Body == nil {
				notes = append(notes, l.noteAt(p, d.Pos(), d.Name.Name+" has no Go body: it runs as one step"))
			}
		}
		for _, c := range names {
			notes = append(notes, l.noteAt(p, c.Pos(), "linkname: what it names is not rewritten: "+strings.TrimPrefix(c.Text, "//go:linkname ")))
		}
	}
	return notes
}

// firstFunction is where an assembly file has its first function, or its beginning.
func (l *loader) firstFunction(name string) token.Position {
	position := token.Position{Filename: name, Line: 1}
	src, err := os.ReadFile(name)
	if err != nil {
		return position
	}
	for i, line := range strings.Split(string(src), "\n") {
		if strings.HasPrefix(line, "TEXT") {
			position.Line = i + 1
			break
		}
	}
	return position
}

// noteNode notes what one piece of code does outside of the explorer's control.
func (f *file) noteNode(n ast.Node) {
	if call, ok := n.(*ast.CallExpr); ok {
		f.noteConversion(call)
	}
	id, ok := n.(*ast.Ident)
	if !ok {
		return
	}
	object := f.p.info.Uses[id]
	if object == nil || object.Pkg() == nil || object.Pkg() == f.p.types {
		return
	}
	if function, ok := object.(*types.Func); ok {
		f.noteCall(id, function)
	}
	path := object.Pkg().Path()
	if f.targets[path] || f.twins[path] != nil {
		return
	}
	if _, isType := object.(*types.TypeName); isType {
		return
	}
	if name := f.replacedIn(object.Type()); name != "" {
		f.note(id.Pos(), "%s.%s has to do with %s, and its package is not rewritten: name it with -with %s, or this may not compile",
			object.Pkg().Name(), object.Name(), name, path)
	}
}

// noteConversion notes unsafe.Pointer(&mu): what is behind the pointer is another type.
func (f *file) noteConversion(call *ast.CallExpr) {
	if tv := f.p.info.Types[call.Fun]; !tv.IsType() || tv.Type != types.Typ[types.UnsafePointer] || len(call.Args) != 1 {
		return
	}
	if name := f.replacedIn(f.typeOf(call.Args[0])); name != "" {
		f.note(call.Pos(), "an unsafe.Pointer to %s: in an exploration it points to a twin, which is laid out in another way", name)
	}
}

// noteCall notes calls that talk to the world in code under test, and operations on channels
// that no rewriting sees.
func (f *file) noteCall(id *ast.Ident, function *types.Func) {
	path, name := function.Pkg().Path(), function.Name()
	receiver := ""
	if r := function.Signature().Recv(); r != nil {
		t := types.Unalias(r.Type())
		if p, ok := t.(*types.Pointer); ok {
			t = types.Unalias(p.Elem())
		}
		if named, ok := t.(*types.Named); ok {
			receiver = named.Obj().Name()
		}
	}
	full := path + "." + name
	if receiver != "" {
		full = path + "." + receiver + "." + name
	}
	switch {
	case full == "reflect.Select", receiver == "Value" && path == "reflect" && reflectChannel[name]:
		f.note(id.Pos(), "%s uses a channel that the explorer does not see", full)
	case full == "runtime.SetFinalizer", full == "runtime.AddCleanup", full == "iter.Pull", full == "iter.Pull2":
		f.note(id.Pos(), "%s runs its function on a goroutine that the explorer does not control", full)
	case path == "crypto/rand":
		f.note(id.Pos(), "%s differs from run to run: a schedule may not run again", full)
	case full == "hash/maphash.MakeSeed":
		f.note(id.Pos(), "%s: its hashes differ from process to process: a schedule may not run again in another one", full)
	case !f.isTest() && talks(path, receiver, name):
		f.note(id.Pos(), "%s talks to the world: the explorer cannot wait for it, and it is not undone between schedules", full)
	}
}

var reflectChannel = map[string]bool{"Send": true, "Recv": true, "TrySend": true, "TryRecv": true, "Close": true}

// talks reports whether a function reads or writes files, starts processes, or uses the
// network.
func talks(path, receiver, name string) bool {
	switch path {
	case "os":
		return receiver == "File" && fileCalls[name] || receiver == "Process" || receiver == "" && osCalls[name]
	case "net":
		return networkTypes[receiver] || receiver == "" && (strings.HasPrefix(name, "Dial") || strings.HasPrefix(name, "Listen") || strings.HasPrefix(name, "Lookup"))
	case "net/http":
		return receiver == "Client" || receiver == "Server" || receiver == "Transport" || receiver == "" && httpCalls[name]
	case "os/exec":
		return receiver == "Cmd"
	case "os/signal":
		return true
	case "syscall", "golang.org/x/sys/unix":
		return receiver == "" && (name == "Read" || name == "Write" || strings.HasPrefix(name, "Syscall") || name == "Poll" || name == "Select")
	}
	return false
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

var (
	osCalls = set(`Open OpenFile Create CreateTemp ReadFile WriteFile ReadDir Remove RemoveAll Rename Mkdir MkdirAll MkdirTemp
		Pipe StartProcess Truncate Link Symlink`)
	fileCalls = set(`Read ReadAt ReadFrom Write WriteAt WriteString WriteTo Sync Seek Truncate ReadDir Readdir`)
	httpCalls = set(`Get Head Post PostForm ListenAndServe ListenAndServeTLS Serve ServeTLS`)

	networkTypes = set(`Conn TCPConn UDPConn UnixConn IPConn Listener TCPListener UnixListener Dialer ListenConfig Resolver PacketConn`)
)
