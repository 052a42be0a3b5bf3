package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// An editor reads lines from a terminal, which shows them while they are edited, and keeps a history.
type editor struct {
	t    *term.Terminal
	keys keys
	raw  func() (undo func(), err error) // makes the terminal deliver keys, not lines
}

// newTerminal returns an editor for a terminal, or nil if file is none.
func newTerminal(file *os.File, out io.Writer) *editor {
	fd := int(file.Fd())
	if !term.IsTerminal(fd) {
		return nil
	}
	e := newEditor(file, out)
	e.raw = func() (func(), error) {
		state, err := term.MakeRaw(fd)
		if err != nil {
			return nil, err
		}
		if w, h, err := term.GetSize(fd); err == nil && w > 0 && h > 0 {
			_ = e.t.SetSize(w, h)
		}
		return func() { _ = term.Restore(fd, state) }, nil
	}
	return e
}

func newEditor(in io.Reader, out io.Writer) *editor {
	e := &editor{keys: keys{in: in}, raw: func() (func(), error) { return func() {}, nil }}
	e.t = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{&e.keys, out}, "")
	e.t.History = &history{}
	return e
}

// line reads a line with its end. The error is errInterrupted after Ctrl-C.
func (e *editor) line(prompt string) ([]byte, error) {
	undo, err := e.raw()
	if err != nil {
		return nil, err
	}
	defer undo()
	e.t.SetPrompt(prompt)
	line, err := e.t.ReadLine()
	if e.keys.interrupted {
		e.keys.interrupted = false
		return nil, errInterrupted
	}
	if err != nil {
		return nil, err
	}
	return []byte(line + "\n"), nil
}

// keys are what a user types. The terminal takes Ctrl-C for the end of the input, so it gets keys
// that empty the line and end it instead.
type keys struct {
	in          io.Reader
	typed       []byte // not delivered yet
	buf         [256]byte
	interrupted bool // the line that ends now was given up
}

const (
	ctrlC     = 3
	emptyLine = "\x05\x15\r" // to the end of the line, delete to its beginning, Enter
)

// Read delivers what was typed up to a Ctrl-C. The terminal calls it when it has used that, so
// interrupted is set for no earlier line.
func (k *keys) Read(p []byte) (int, error) {
	if len(k.typed) == 0 {
		n, err := k.in.Read(k.buf[:])
		if n == 0 {
			return 0, err
		}
		k.typed = k.buf[:n]
	}
	if k.typed[0] == ctrlC && len(p) >= len(emptyLine) {
		k.typed = k.typed[1:]
		k.interrupted = true
		return copy(p, emptyLine), nil
	}
	n := 1
	for n < len(k.typed) && n < len(p) && k.typed[n] != ctrlC {
		n++
	}
	n = copy(p, k.typed[:n])
	k.typed = k.typed[n:]
	return n, nil
}

// history has the last lines, the latest first. It leaves out empty lines and repetitions.
type history struct{ lines []string }

const maxHistory = 1000

func (h *history) Add(line string) {
	if line == "" || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	h.lines = h.lines[max(len(h.lines)-maxHistory, 0):]
}

func (h *history) Len() int          { return len(h.lines) }
func (h *history) At(idx int) string { return h.lines[len(h.lines)-1-idx] }
