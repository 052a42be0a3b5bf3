package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"sync"
)

// verdict is the outcome for a mutant.
type verdict string

const (
	killed    verdict = "killed"
	survived  verdict = "survived"
	chance    verdict = "chance"    // some runs of a test fail, and some pass
	unreached verdict = "unreached" // no test runs the line
	cutShort  verdict = "cut short" // the mutant survived all tests that fit in the budget
)

// result is the result for a mutant.
type result struct {
	Mutant
	Verdict verdict `json:"verdict"`
	How     how     `json:"how,omitempty"`
	By      string  `json:"by,omitempty"`   // the test that decided, or a batch that contains it
	Fails   int     `json:"fails,omitzero"` // failures in Runs
	Runs    int     `json:"runs,omitzero"`
	Tests   int     `json:"tests"` // number of tests that reach it
	Seconds float64 `json:"seconds"`
	Source  string  `json:"source"` // hash of the file
	Suite   string  `json:"suite"`  // hash of the tests
}

// journal keeps results in a file, one a line, so that a run can continue where an earlier one
// ended.
type journal struct {
	mu    sync.Mutex
	file  *os.File
	known map[journalKey]result
	kills bool // a kill stays valid while the file is the same, even if the tests change
}

type journalKey struct {
	mutant        Mutant
	source, suite string
}

// openJournal opens a journal, or creates one.
func openJournal(name string, fresh, kills bool) (*journal, error) {
	flags := os.O_RDWR | os.O_CREATE | os.O_APPEND
	if fresh {
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(name, flags, 0o666)
	if err != nil {
		return nil, err
	}
	j := &journal{file: f, known: map[journalKey]result{}, kills: kills}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r result
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			continue // a run was interrupted while it wrote this line
		}
		j.remember(r)
	}
	return j, errors.Join(lines.Err())
}

func (j *journal) remember(r result) {
	j.known[journalKey{r.id(), r.Source, r.Suite}] = r
	if r.Verdict == killed {
		j.known[journalKey{r.id(), r.Source, ""}] = r
	}
}

// find returns the known result for a mutant.
func (j *journal) find(m Mutant, suite string) (result, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r, ok := j.known[journalKey{m.id(), m.source, suite}]
	if !ok && j.kills {
		r, ok = j.known[journalKey{m.id(), m.source, ""}]
	}
	r.Mutant = m // with the current line number
	return r, ok
}

// add appends a result.
func (j *journal) add(r result) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.remember(r)
	_, err = j.file.Write(append(text, '\n'))
	return err
}

func (j *journal) close() error { return j.file.Close() }
