package command

import (
	"slices"
	"strings"
	"testing"
)

func TestGoFlags(t *testing.T) {
	flags := map[string]valueFlag{"count": {}, "format": {}, "benchtime": {}, "input": {several: true}, "plot": {empty: true}}
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
		{"-plot= x", "--plot= x"},
	} {
		got, err := goFlags(strings.Fields(c.in), flags)
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
