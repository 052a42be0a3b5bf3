package mutant

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of planted bugs into docs/proof.md")

// markdown returns the table of all planted bugs, and what finds each.
func markdown() string {
	var b strings.Builder
	b.WriteString("| bug | what is changed | killed by | of package |\n|---|---|---|---|\n")
	done := map[ID]bool{}
	for _, k := range Kills {
		if done[k.Bug] {
			continue
		}
		done[k.Bug] = true
		var by, packages []string
		for _, other := range Kills {
			if other.Bug != k.Bug {
				continue
			}
			if !slices.Contains(packages, other.Package) {
				packages = append(packages, other.Package)
			}
			test := strings.Trim(strings.NewReplacer("^", "", "$", "").Replace(other.Test), "/")
			for _, says := range other.Says {
				// A test that checks one thing is named alone, a property together with
				// its test.
				if line := fmt.Sprintf("%s: `%s`", says, test); strings.HasPrefix(says, "FAIL: ") {
					by = append(by, "`"+test+"`")
				} else {
					by = append(by, line)
				}
			}
		}
		slices.Sort(by)
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", k.Bug, Changes[k.Bug], strings.Join(slices.Compact(by), "; "), strings.Join(packages, ", "))
	}
	return b.String()
}

// TestProofTable: the table in docs/proof.md is the one made from Kills.
func TestProofTable(t *testing.T) {
	const page, begin, end = "../../docs/proof.md", "<!-- planted bugs -->\n", "<!-- end of planted bugs -->\n"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	table, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", page)
	}
	switch want := markdown(); {
	case table == want:
	case *update:
		if err := os.WriteFile(page, []byte(head+begin+want+end+tail), 0o666); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the table of planted bugs in %s is old: go test ./internal/mutant -run ProofTable -update", page)
	}
}
