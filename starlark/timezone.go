package starlark

import (
	"fmt"
	"path"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // zones on machines without them

	rt "github.com/ichor-go/ichor/runtime"
)

// Words of a time: the seconds since 1970, the nanoseconds, the zone, and the string with the zone's name
// if it needs one. Immutable.
//
//	bits of the zone     what
//	0-29                 the offset from UTC in seconds, if the zone is fixed, plus fixedBias
//	30-31                zoneUTC, zoneLocal, zoneNamed or zoneFixed
//	the name             of a zone of the database; of a fixed zone, if it has one
//
// A program can make fixed zones of any offset, with any name. So the process has no table of them.
const (
	timeSeconds = 0
	timeNanos   = 2
	timeZone    = 3
	timeName    = 4
)

const (
	zoneUTC = iota
	zoneLocal
	zoneNamed
	zoneFixed
	zoneShift = 30
	fixedBias = 1 << 20
)

// hasName reports whether a time has a zone with a name.
func hasName(zone uint32) bool {
	return zone>>zoneShift == zoneNamed || zone>>zoneShift == zoneFixed && zone&fixedNamed != 0
}

// timeSlots are the Slots of a time, of which one without a name has none.
func timeSlots(_ rt.Heap, o rt.Body) (rt.Body, int, int) {
	if hasName(o.Word(timeZone)) {
		return o, timeName, 1
	}
	return o, timeName, 0
}

// fixedNamed is the bit of a fixed zone with a name.
const fixedNamed = 1 << 29

// locations has zones of the database, few enough that they need not count.
var (
	locationsMu sync.Mutex
	locations   = map[string]*time.Location{}
)

const maxLocations = 64

// loadLocation returns the zone of the database with a name.
func loadLocation(name string) (*time.Location, error) {
	if len(name) > 200 || name != "" && path.Clean(name) != name {
		return nil, fmt.Errorf("unknown time zone %s", brief(name))
	}
	locationsMu.Lock()
	l := locations[name]
	locationsMu.Unlock()
	if l != nil {
		return l, nil
	}
	name = strings.Clone(name) // it may lie in a string of the heap
	l, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	locationsMu.Lock()
	defer locationsMu.Unlock()
	if len(locations) >= maxLocations {
		clear(locations)
	}
	locations[name] = l
	return l, nil
}

// zoneOf returns the zone of t, as the word and the name.
func zoneOf(t time.Time) (word uint32, name string) {
	l := t.Location()
	switch l {
	case time.UTC:
		return zoneUTC << zoneShift, ""
	case time.Local:
		return zoneLocal << zoneShift, ""
	}
	locationsMu.Lock()
	known := locations[l.String()] == l
	locationsMu.Unlock()
	if start, end := t.ZoneBounds(); !known && !(start.IsZero() && end.IsZero()) { // it changes its offset
		_, err := loadLocation(l.String())
		known = err == nil
	}
	if known {
		return zoneNamed << zoneShift, l.String()
	}
	name, offset := t.Zone()
	word = zoneFixed<<zoneShift | uint32(offset+fixedBias)
	if name != "" {
		word |= fixedNamed
	}
	return word, name
}

func (th *Thread) newPoint(p timePoint) (Value, error) {
	t := time.Time(p)
	zone, name := zoneOf(t)
	var s Value
	size := 4 * timeName
	if name != "" {
		var err error
		if s, err = th.newString(name); err != nil {
			return 0, err
		}
		size += 4
	}
	r, o, err := th.t.New(timeType, size)
	if err != nil {
		th.drop(s)
		return 0, err
	}
	o.SetUint64(timeSeconds, uint64(t.Unix()))
	o.SetWord(timeNanos, uint32(t.Nanosecond()))
	o.SetWord(timeZone, zone)
	if s != 0 {
		o.SetRef(timeName, s.ref())
	}
	return counted(r), nil
}

func (th *Thread) pointOf(v Value) timePoint {
	o := th.t.Body(v.ref())
	zone, name := o.Word(timeZone), ""
	if hasName(zone) {
		name = strings.Clone(th.text(plain(o.Ref(timeName))))
	}
	l := time.UTC
	switch zone >> zoneShift {
	case zoneLocal:
		l = time.Local
	case zoneNamed:
		if m, err := loadLocation(name); err == nil {
			l = m
		}
	case zoneFixed:
		l = time.FixedZone(name, int(zone&(fixedNamed-1))-fixedBias)
	}
	return timePoint(time.Unix(int64(o.Uint64(timeSeconds)), int64(o.Word(timeNanos))).In(l))
}
