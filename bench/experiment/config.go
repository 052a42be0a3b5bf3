package experiment

import (
	"fmt"
	"strings"
)

// KV is one setting of a variant. A Value is a string, an int or a bool.
type KV struct {
	Key   string
	Value any
}

// Config is the settings of a variant, in the order in which reports show them.
type Config []KV

// Cfg makes a Config of keys and values in turn: Cfg("mode", "gil", "threads", 2). It panics if the
// number of arguments is odd, if a key is not a string, or if a value is not a string, int or
// bool.
func Cfg(pairs ...any) Config {
	if len(pairs)%2 != 0 {
		panic("experiment: Cfg takes alternating keys and values")
	}
	c := make(Config, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			panic(fmt.Sprintf("experiment: Cfg: key %v is not a string", pairs[i]))
		}
		switch pairs[i+1].(type) {
		case string, int, bool:
		default:
			panic(fmt.Sprintf("experiment: Cfg: the value of %s is a %T, not a string, int or bool", key, pairs[i+1]))
		}
		c = append(c, KV{Key: key, Value: pairs[i+1]})
	}
	return c
}

// Get returns the value of key, or nil if it is not set.
func (c Config) Get(key string) any {
	for _, kv := range c {
		if kv.Key == key {
			return kv.Value
		}
	}
	return nil
}

// With returns a copy of c in which key has the value.
func (c Config) With(key string, value any) Config {
	out := append(Config(nil), c...)
	for i := range out {
		if out[i].Key == key {
			out[i].Value = value
			return out
		}
	}
	return append(out, KV{Key: key, Value: value})
}

// Without returns a copy of c without key.
func (c Config) Without(key string) Config {
	out := make(Config, 0, len(c))
	for _, kv := range c {
		if kv.Key != key {
			out = append(out, kv)
		}
	}
	return out
}

// String writes c as the Go benchmark format does: mode=gil/threads=2.
func (c Config) String() string {
	var b strings.Builder
	for i, kv := range c {
		if i > 0 {
			b.WriteByte('/')
		}
		fmt.Fprintf(&b, "%s=%v", kv.Key, kv.Value)
	}
	return b.String()
}
