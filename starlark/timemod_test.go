package starlark

import (
	"runtime"
	"strings"
	"testing"

	peertime "go.starlark.net/lib/time"
	peer "go.starlark.net/starlark"
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

// Times keep their zones, as in starlark-go: of the database, local, and fixed ones of any offset and name,
// of which the process has no table.
func TestZones(t *testing.T) {
	const src = `
def show(t):
    u = t + time.hour * 24 * 200
    print(t, t.format("MST -0700"), u, t.in_location("UTC"), t == u, t < u, {t: 1}[t.in_location("Asia/Tokyo")])
show(time.parse_time("2020-01-01T00:00:00Z"))
show(time.parse_time("2020-01-01T00:00:00+01:23"))
show(time.parse_time("2020-01-01T00:00:00-11:59"))
show(time.parse_time("2020-01-01 CET +0100", "2006-01-02 MST -0700"))
show(time.parse_time("2020-01-01 CET +0500", "2006-01-02 MST -0700"))
show(time.parse_time("2020-01-01 XYZ +0300", "2006-01-02 MST -0700"))
show(time.parse_time("2020-01-01 XYZ -0700", "2006-01-02 MST -0700"))
show(time.parse_time("2020-01-01T00:00:00", "2006-01-02T15:04:05", "Europe/Paris"))
show(time.time(year = 2020, month = 7, location = "Europe/Paris"))
show(time.time(year = 2020, location = "Etc/GMT+5"))
show(time.time(year = 1800, location = "America/New_York"))
show(time.time(year = 300000, nanosecond = 5))
show(time.from_timestamp(-5).in_location("America/New_York"))
for i in range(100):
    time.parse_time("2020-01-01T00:00:00+01:%d" % (10 + i % 50))
    show(time.time(year = 2020, month = 1 + i % 12, location = ["Asia/Tokyo", "Europe/Berlin", "US/Eastern", "UTC", "Local"][i % 5]))
for name in ["Europe//Paris", "./UTC", "../UTC", "Nowhere", "x" * 1000]:
    print(time.is_valid_timezone(name))
`
	var want, got strings.Builder
	th := &peer.Thread{Print: func(_ *peer.Thread, s string) { want.WriteString(s + "\n") }}
	slashes := strings.Replace(src, `"Europe//Paris", "./UTC", `, "", 1) // starlark-go asks the file system
	if _, err := peer.ExecFileOptions(&randomOptions, th, "z.star", slashes, peer.StringDict{"time": peertime.Module}); err != nil {
		t.Fatal(err)
	}
	m := open(t, Options{File: randomOptions, Print: func(_ *Thread, s string) { got.WriteString(s + "\n") }})
	do(t, m, func(th *Thread) error {
		_, err := th.Exec("z.star", src)
		return err
	})
	if got := strings.Replace(got.String(), "False\nFalse\nFalse\nFalse\nFalse\n", "False\nFalse\nFalse\n", 1); got != want.String() {
		t.Errorf("printed\n%s\nwant\n%s", got, want.String())
	}
	locationsMu.Lock()
	defer locationsMu.Unlock()
	if len(locations) > maxLocations {
		t.Errorf("%d zones are kept", len(locations))
	}
}

// The table of zones stays small, and a zone that it has given up is found again.
func TestManyZones(t *testing.T) {
	m := open(t, Options{File: randomOptions})
	do(t, m, func(th *Thread) error {
		mod, err := th.Exec("z.star", `
base = time.from_timestamp(1600000000)
hours = [base.in_location("Etc/GMT" + sign + str(i)) for sign in ["+", "-"] for i in range(1, 13)]
names = ["Africa/Abidjan", "Africa/Accra", "Africa/Algiers", "Africa/Cairo", "America/Adak", "America/Aruba", "America/Bahia", "America/Belem",
    "America/Bogota", "America/Boise", "America/Cancun", "America/Denver", "America/Guyana", "America/Havana", "America/Juneau", "America/La_Paz",
    "America/Lima", "America/Manaus", "America/Nassau", "America/Nome", "America/Panama", "America/Recife", "America/Regina", "America/Toronto",
    "Asia/Aden", "Asia/Almaty", "Asia/Amman", "Asia/Baghdad", "Asia/Baku", "Asia/Bangkok", "Asia/Beirut", "Asia/Brunei", "Asia/Dhaka", "Asia/Dubai",
    "Asia/Gaza", "Asia/Hovd", "Asia/Kabul", "Asia/Karachi", "Asia/Kuwait", "Asia/Macau", "Asia/Manila", "Asia/Muscat", "Asia/Qatar", "Asia/Riyadh"]
times = [base.in_location(n) for n in names]
first = [str(t) for t in hours + times]
again = [str(t) for t in hours + times]
same = [a for a, b in zip(first, again) if a != b]
`)
		if err != nil {
			return err
		}
		same, first := th.Global(mod, "same"), th.Global(mod, "first")
		defer th.Drop(same)
		defer th.Drop(first)
		if got := th.Repr(same); got != "[]" {
			t.Errorf("these have changed: %s", got)
		}
		for _, want := range []string{"2020-09-13 07:26:40 -0500 -05", "2020-09-13 16:26:40 +0400 +04", "2020-09-13 15:26:40 +0300 +03"} {
			if got := th.Repr(first); !strings.Contains(got, want) {
				t.Errorf("%s is not among %s", want, got)
			}
		}
		return nil
	})
	locationsMu.Lock()
	defer locationsMu.Unlock()
	if len(locations) > maxLocations {
		t.Errorf("%d zones are kept", len(locations))
	}
}
