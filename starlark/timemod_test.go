package starlark

import (
	"runtime"
	"testing"
)

// Locations and methods outlive the strings that name them, and the machine.
func TestTimeNames(t *testing.T) {
	const src = `
def build(*parts):
    return "".join(parts)
t = time.from_timestamp(0).in_location(build("US/", "Eastern"))
f = getattr(t, build("for", "mat"))
u = time.parse_time("2020-01-01T00:00:00", build("2006-01-02", "T15:04:05"), build("Asia/", "Tokyo"))
v = time.time(year = 2020, location = build("Europe/", "Paris"))
junk = [build(str(i), "x" * 20) for i in range(2000)]
print(f("MST"), u, v)
`
	for range 3 {
		m := open(t, Options{Print: func(_ *Thread, s string) {
			if want := "EST 2020-01-01 00:00:00 +0900 JST 2019-11-30 00:00:00 +0100 CET"; s != want {
				t.Errorf("printed %q, want %q", s, want)
			}
		}})
		do(t, m, func(th *Thread) error {
			mod, err := th.Exec("t.star", src)
			if mod != nil {
				th.Clear(mod)
			}
			return err
		})
		runtime.GC()
		locationsMu.Lock()
		for _, l := range locations {
			_ = len(l.String() + "!")
		}
		locationsMu.Unlock()
	}
}
