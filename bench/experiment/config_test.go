package experiment

import (
	"strings"
	"testing"
)

func TestConfig(t *testing.T) {
	c := Cfg("mode", "gil", "threads", 2, "hot", true)
	if got := c.String(); got != "mode=gil/threads=2/hot=true" {
		t.Error(got)
	}
	if c.Get("mode") != "gil" || c.Get("threads") != 2 || c.Get("hot") != true || c.Get("cold") != nil {
		t.Errorf("the settings of %v are others", c)
	}
	for _, d := range []struct {
		got  Config
		want string
	}{
		{c.With("threads", 4), "mode=gil/threads=4/hot=true"}, {c.With("size", 1), "mode=gil/threads=2/hot=true/size=1"},
		{c.Without("threads"), "mode=gil/hot=true"}, {c.Without("cold"), "mode=gil/threads=2/hot=true"}, {nil, ""}, {Cfg(), ""},
	} {
		if got := d.got.String(); got != d.want {
			t.Errorf("%s, want %s", got, d.want)
		}
	}
	if got := c.String(); got != "mode=gil/threads=2/hot=true" {
		t.Errorf("the config has become %s", got)
	}
}

// Arguments that make no settings are mistakes of the program.
func TestCfgPanics(t *testing.T) {
	for _, c := range []struct {
		want  string
		pairs []any
	}{
		{"takes alternating keys and values", []any{"mode"}},
		{"takes alternating keys and values", []any{1, 1.5, 2}}, // before it looks at them
		{": key 1 is not a string", []any{"mode", "gil", 1, "x"}},
		{": the value of rate is a float64, not a string, int or bool", []any{"rate", 1.5}},
		{": the value of rate is a <nil>, not a string, int or bool", []any{"mode", "gil", "rate", nil}},
	} {
		func() {
			defer func() {
				if got, ok := recover().(string); !ok || !strings.HasPrefix(got, "experiment: Cfg") || !strings.HasSuffix(got, c.want) {
					t.Errorf("%v: %s, want %s", c.pairs, got, c.want)
				}
			}()
			Cfg(c.pairs...)
		}()
	}
}
