package experiment

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Selection chooses variants: those that have one of the values of each key, written as
// reports write them. UnmarshalText reads mode=atomic,threads=1,threads=2. Selections are plain
// values: UnmarshalText, one goroutine at a time; any goroutine may call the other methods.
type Selection map[string][]string

// A SelectionError means that no variant of a scenario is in a [Selection].
type SelectionError struct{ Scenario, Why string }

func (e *SelectionError) Error() string { return e.Scenario + ": " + e.Why }

// UnmarshalText reads settings with commas between them. Several values of one setting are
// alternatives.
func (s *Selection) UnmarshalText(text []byte) error {
	*s = Selection{}
	for word := range strings.SplitSeq(string(text), ",") {
		key, value, _ := strings.Cut(word, "=")
		if key == "" || value == "" {
			return fmt.Errorf("%q is not a setting such as mode=atomic; commas separate settings", word)
		}
		(*s)[key] = append((*s)[key], value)
	}
	return nil
}

// String writes what UnmarshalText reads.
func (s Selection) String() string {
	var words []string
	for _, key := range slices.Sorted(maps.Keys(s)) {
		for _, value := range s[key] {
			words = append(words, key+"="+value)
		}
	}
	return strings.Join(words, ",")
}

// Keeps reports whether the selection has the variant.
func (s Selection) Keeps(c Config) bool {
	for key, values := range s {
		v := c.Get(key)
		if v == nil || !slices.Contains(values, fmt.Sprint(v)) {
			return false
		}
	}
	return true
}

// only removes the variants that are not in the selection. The error says what there is.
func (p *Plan) only(s Selection, scenario string) error {
	if len(s) == 0 {
		return nil
	}
	var keys []string
	values := map[string][]string{}
	for i := range p.Variants {
		for _, kv := range p.Variants[i].Config {
			if !slices.Contains(keys, kv.Key) {
				keys = append(keys, kv.Key)
			}
			if v := fmt.Sprint(kv.Value); !slices.Contains(values[kv.Key], v) {
				values[kv.Key] = append(values[kv.Key], v)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s)) {
		if values[key] == nil {
			return &SelectionError{scenario, fmt.Sprintf("there is no setting %q; its settings are %s", key, strings.Join(keys, ", "))}
		}
		for _, v := range s[key] {
			if !slices.Contains(values[key], v) {
				return &SelectionError{scenario, fmt.Sprintf("no variant has %s=%s; %s is %s", key, v, key, strings.Join(values[key], ", "))}
			}
		}
	}
	p.Variants = slices.DeleteFunc(p.Variants, func(v Variant) bool { return !s.Keeps(v.Config) })
	if len(p.Variants) == 0 {
		return &SelectionError{scenario, "no variant has all of " + s.String()}
	}
	return nil
}
