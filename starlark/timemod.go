package starlark

import (
	"errors"
	"fmt"
	"time"

	"go.starlark.net/syntax"
)

type (
	duration  time.Duration
	timePoint time.Time
)

// The word of a duration. Immutable.
const durationNanos = 0

func (th *Thread) newDuration(d duration) (Value, error) {
	r, o, err := th.t.New(durationType, 8)
	if err != nil {
		return 0, err
	}
	o.SetUint64(durationNanos, uint64(d))
	return counted(r), nil
}

func (th *Thread) durationOf(v Value) duration {
	return duration(th.t.Body(v.ref()).Uint64(durationNanos))
}

// TimeModule returns the module time of starlark-go. now is what time.now calls; nil is
// time.Now.
func (th *Thread) TimeModule(now func() (time.Time, error)) (Value, error) {
	if now == nil {
		now = func() (time.Time, error) { return time.Now(), nil }
	}
	var members []Kwarg
	for name, d := range map[string]time.Duration{
		"nanosecond": time.Nanosecond, "microsecond": time.Microsecond, "millisecond": time.Millisecond,
		"second": time.Second, "minute": time.Minute, "hour": time.Hour,
	} {
		var v Value
		err := th.immortally(func() (err error) {
			v, err = th.NewHost(duration(d), nil)
			return err
		})
		if err != nil {
			return 0, err
		}
		members = append(members, Kwarg{name, v})
	}
	return th.NewModule("time", map[string]Func{
		"from_timestamp": fromTimestamp, "is_valid_timezone": isValidTimezone, "parse_duration": parseDuration,
		"parse_time": parseTime, "time": timeTime,
		"now": func(th *Thread, c *Call) (Value, error) {
			if err := c.positional(0, 0); err != nil {
				return 0, err
			}
			t, err := now()
			return th.newTime(t, err)
		},
	}, members...)
}

func (th *Thread) newTime(t time.Time, err error) (Value, error) {
	if err != nil {
		return 0, err
	}
	return th.newPoint(timePoint(t))
}

// timeErrorBytes is what an error of the package time takes for each byte of a text: the text, quoted
// twice, while it is put together.
const timeErrorBytes = 24

func parseDuration(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	x := c.Args[0]
	if th.kind(x) == kHost {
		if _, ok := th.host(x).(duration); ok {
			return th.dup(x), nil
		}
	}
	s, ok := th.str(x)
	if !ok {
		return 0, c.want(th, 0, "a duration, string, or int")
	}
	if err := th.reserve(timeErrorBytes * len(s)); err != nil {
		return 0, err
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%s: for parameter 1: %s", c.Name, brief(err.Error()))
	}
	return th.NewHost(duration(d), nil)
}

func isValidTimezone(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	s, err := c.str(th, 0)
	if err != nil {
		return 0, err
	}
	_, err = loadLocation(s)
	return mkBool(err == nil), nil
}

func parseTime(th *Thread, c *Call) (Value, error) {
	var x, format, location Value
	if err := c.Unpack(th, c.Args, []string{"x", "format?", "location?"}, &x, &format, &location); err != nil {
		return 0, err
	}
	text := [3]string{"", time.RFC3339, "UTC"}
	for i, v := range []Value{x, format, location} {
		if v == 0 {
			continue
		}
		s, ok := th.str(v)
		if !ok {
			return 0, c.parameter(th, [...]string{"x", "format", "location"}[i], v, "string")
		}
		text[i] = s
	}
	if err := th.reserve(timeErrorBytes * (len(text[0]) + len(text[1]))); err != nil {
		return 0, err
	}
	var t time.Time
	var err error
	if text[2] == "UTC" {
		t, err = time.Parse(text[1], text[0])
	} else {
		var loc *time.Location
		if loc, err = loadLocation(text[2]); err != nil {
			return 0, err
		}
		t, err = time.ParseInLocation(text[1], text[0], loc)
	}
	if err != nil {
		return 0, errors.New(brief(err.Error()))
	}
	return th.newPoint(timePoint(t))
}

func fromTimestamp(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 2); err != nil {
		return 0, err
	}
	sec, err := c.int(th, 0, 0)
	if err != nil {
		return 0, err
	}
	nsec, err := c.int(th, 1, 0)
	return th.newTime(time.Unix(int64(sec), int64(nsec)), err)
}

func timeTime(th *Thread, c *Call) (Value, error) {
	names := []string{"year?", "month?", "day?", "hour?", "minute?", "second?", "nanosecond?", "location?"}
	var vs [8]Value
	if err := c.Unpack(th, c.Args, names, &vs[0], &vs[1], &vs[2], &vs[3], &vs[4], &vs[5], &vs[6], &vs[7]); err != nil {
		return 0, err
	}
	var n [7]int
	for i, v := range vs[:7] {
		if v != 0 {
			var err error
			if n[i], err = th.asInt64(v); err != nil {
				return 0, fmt.Errorf("time: for parameter %s: %s", names[i][:len(names[i])-1], err)
			}
		}
	}
	where := ""
	if vs[7] != 0 {
		var ok bool
		if where, ok = th.str(vs[7]); !ok {
			return 0, c.parameter(th, "location", vs[7], "string")
		}
	}
	if len(c.Args) > 0 {
		return 0, fmt.Errorf("time: unexpected positional arguments")
	}
	loc, err := loadLocation(where)
	if err != nil {
		return 0, err
	}
	return th.newTime(time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], n[6], loc), nil)
}

func (d duration) Type() string   { return "time.duration" }
func (d duration) String() string { return time.Duration(d).String() }
func (d duration) Truth() bool    { return d != 0 }
func (d duration) Hash() (uint32, error) {
	return mix(uint64(d)), nil
}
func (d duration) AttrNames() []string {
	return []string{"hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"}
}

func (d duration) Attr(th *Thread, name string) (Value, error) {
	t := time.Duration(d)
	switch name {
	case "hours":
		return mkFloat(t.Hours()), nil
	case "minutes":
		return mkFloat(t.Minutes()), nil
	case "seconds":
		return mkFloat(t.Seconds()), nil
	case "milliseconds":
		return th.newInt(t.Milliseconds())
	case "microseconds":
		return th.newInt(t.Microseconds())
	case "nanoseconds":
		return th.newInt(t.Nanoseconds())
	}
	return 0, fmt.Errorf("unrecognized %s attribute %q", d.Type(), name)
}

func (d duration) Compare(th *Thread, op syntax.Token, y Host, depth int) (bool, error) {
	e, ok := y.(duration)
	if !ok {
		return differ(op, d, y)
	}
	switch {
	case d < e:
		return threeway(op, -1), nil
	case d > e:
		return threeway(op, 1), nil
	}
	return threeway(op, 0), nil
}

// differ compares two Hosts of different types.
func differ(op syntax.Token, x, y Host) (bool, error) {
	if op == syntax.EQL || op == syntax.NEQ {
		return op == syntax.NEQ, nil
	}
	return false, fmt.Errorf("%s %s %s not implemented", x.Type(), op, y.Type())
}

func (d duration) Binary(th *Thread, op syntax.Token, y Value, right bool) (Value, error) {
	zero := fmt.Errorf("%s division by zero", d.Type())
	switch k := th.kind(y); {
	case k == kHost:
		switch y := th.host(y).(type) {
		case duration:
			switch op {
			case syntax.PLUS:
				return th.NewHost(d+y, nil)
			case syntax.MINUS:
				return th.NewHost(d-y, nil)
			case syntax.SLASH:
				if y == 0 {
					return 0, zero
				}
				return mkFloat(float64(d) / float64(y)), nil
			case syntax.SLASHSLASH:
				if y == 0 {
					return 0, zero
				}
				return th.newInt(int64(d / y))
			}
		case timePoint:
			if op == syntax.PLUS {
				return th.NewHost(timePoint(time.Time(y).Add(time.Duration(d))), nil)
			}
		}
	case k == kInt && (op == syntax.SLASH || op == syntax.STAR):
		if op == syntax.SLASH && right {
			return 0, fmt.Errorf("unsupported operation")
		}
		n, ok := th.int64(y)
		switch {
		case !ok:
			return 0, fmt.Errorf("int value out of range (want signed 64-bit value)")
		case op == syntax.STAR:
			return th.NewHost(d*duration(n), nil)
		case n == 0:
			return 0, zero
		}
		return th.NewHost(d/duration(n), nil)
	case k == kFloat && op == syntax.SLASH:
		if y.float() == 0 {
			return 0, zero
		}
		return th.NewHost(duration(float64(d)/y.float()), nil)
	}
	return 0, nil
}

func (p timePoint) Type() string { return "time.time" }
func (p timePoint) String() string {
	return time.Time(p).Format("2006-01-02 15:04:05.999999999 -0700 MST")
}
func (p timePoint) Truth() bool { return !time.Time(p).IsZero() }
func (p timePoint) Hash() (uint32, error) {
	return mix(uint64(time.Time(p).UnixNano())), nil
}
func (p timePoint) AttrNames() []string {
	return []string{"format", "in_location", "year", "month", "day", "hour", "minute", "second", "nanosecond", "unix", "unix_nano"}
}

func (p timePoint) Attr(th *Thread, name string) (Value, error) {
	t := time.Time(p)
	switch name {
	case "year":
		return mkInt(t.Year()), nil
	case "month":
		return mkInt(int64(t.Month())), nil
	case "day":
		return mkInt(t.Day()), nil
	case "hour":
		return mkInt(t.Hour()), nil
	case "minute":
		return mkInt(t.Minute()), nil
	case "second":
		return mkInt(t.Second()), nil
	case "nanosecond":
		return mkInt(t.Nanosecond()), nil
	case "unix":
		return th.newInt(t.Unix())
	case "unix_nano":
		return th.newInt(t.UnixNano())
	case "format", "in_location":
		return th.NewHost(timeMethod{p, name}, nil)
	}
	return 0, nil
}

func (p timePoint) Compare(th *Thread, op syntax.Token, y Host, depth int) (bool, error) {
	q, ok := y.(timePoint)
	if !ok {
		return differ(op, p, y)
	}
	return threeway(op, time.Time(p).Compare(time.Time(q))), nil
}

func (p timePoint) Binary(th *Thread, op syntax.Token, y Value, right bool) (Value, error) {
	if th.kind(y) != kHost {
		return 0, nil
	}
	switch y := th.host(y).(type) {
	case duration:
		switch op {
		case syntax.PLUS:
			return th.newTime(time.Time(p).Add(time.Duration(y)), nil)
		case syntax.MINUS:
			return th.newTime(time.Time(p).Add(-time.Duration(y)), nil)
		}
	case timePoint:
		if op == syntax.MINUS {
			return th.NewHost(duration(time.Time(p).Sub(time.Time(y))), nil)
		}
	}
	return 0, nil
}

// timeFormatBytes is what a formatted time takes for each byte of the format, while it grows: a digit
// can stand for two, and four for a year of twelve.
const timeFormatBytes = 10

// timeMethod is a method of a time.
type timeMethod struct {
	p    timePoint
	name string
}

func (m timeMethod) Type() string   { return kindNames[kMethod] }
func (m timeMethod) String() string { return "<built-in method " + m.name + " of time.time value>" }
func (m timeMethod) Name() string   { return m.name }

func (m timeMethod) Call(th *Thread, c *Call) (Value, error) {
	if err := c.positional(1, 1); err != nil {
		return 0, err
	}
	s, err := c.str(th, 0)
	if err != nil {
		return 0, err
	}
	if m.name == "format" {
		if err := th.reserve(timeFormatBytes * len(s)); err != nil {
			return 0, err
		}
		return th.newString(time.Time(m.p).Format(s))
	}
	loc, err := loadLocation(s)
	if err != nil {
		return 0, err
	}
	return th.newTime(time.Time(m.p).In(loc), nil)
}
