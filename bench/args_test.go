package main

import (
	"slices"
	"strings"
	"testing"
)

func TestGoFlags(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"run -count 5 --format json", "run --count=5 --format=json"},
		{"-count=5 -h", "--count=5 --help"},
		{"-benchtime -1s", "--benchtime=-1s"},
		{"-input a b -format text -input c", "--input=a --input=b --format=text --input=c"},
		{"-input=a b", "--input=a --input=b"},
		{"-input a=b", "--input=a=b"},
		{"-unknown x", "--unknown x"},
		{"compare -- -count", "compare -- -count"},
		{"-1 -", "-1 -"},
		{"-count", "error"},
		{"-input -format json", "error"},
		{"-format=", "error"},
	} {
		got, err := goFlags(strings.Fields(c.in))
		switch {
		case err != nil:
			if c.want != "error" {
				t.Errorf("%q: %v", c.in, err)
			}
		case !slices.Equal(got, strings.Fields(c.want)):
			t.Errorf("%q gives %q, want %q", c.in, got, c.want)
		}
	}
}

// The flags that the rewriter joins are those that kong knows.
func TestValueFlagsAreTheFlags(t *testing.T) {
	for _, name := range valueFlags {
		known := slices.ContainsFunc([]string{"run", "image build", "prefork"}, func(command string) bool {
			_, _, err := parse(append(strings.Fields(command), "-"+name, "\x00"), nil)
			return err == nil || !strings.Contains(err.Error(), "unknown flag")
		})
		if !known {
			t.Errorf("no command knows the flag -%s", name)
		}
	}
	var help strings.Builder
	if _, _, err := parse([]string{"run", "-h"}, &help); err != errHelp {
		t.Fatal(err)
	}
	for word := range strings.FieldsSeq(help.String()) {
		if name, ok := strings.CutPrefix(word, "-"); ok && len(name) > 1 && !strings.HasPrefix(name, "h") {
			name, _, _ = strings.Cut(name, "=")
			if !slices.Contains(valueFlags, name) {
				t.Errorf("valueFlags lacks %s", name)
			}
		}
	}
}
