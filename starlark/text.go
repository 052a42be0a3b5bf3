package starlark

import (
	"hash/maphash"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// Words of a string and of bytes. Immutable. The hash is 0 until it is needed.
const (
	textLen  = 0
	textHash = 1
	textData = 2
)

// maxText is the most bytes that a string can have.
const maxText = 1<<31 - 1<<16

var hashSeed = maphash.MakeSeed()

// hashText returns the hash of the bytes of a string, which is not 0.
func hashText(s string) uint32 {
	h := maphash.String(hashSeed, s)
	return max(uint32(h)^uint32(h>>32), 1)
}

// newText returns a new string or bytes object of n bytes, and the bytes, to be filled before
// the object is published.
func (th *Thread) newText(y *rt.Type, n int) (Value, []byte, error) {
	if n > maxText {
		return 0, nil, th.limitError(&rt.SizeError{Of: "string", Size: int64(n), Unit: "bytes", Most: maxText})
	}
	if err := th.large(n); err != nil {
		return 0, nil, err
	}
	r, o, err := th.t.New(y, 4*textData+n)
	if err != nil {
		return 0, nil, err
	}
	o.SetWord(textLen, uint32(n))
	return counted(r), o.Bytes(textData, n), nil
}

// newString returns a new string.
func (th *Thread) newString(s string) (Value, error) {
	if len(s) <= 1 {
		if s == "" {
			return th.m.empty, nil
		}
		return th.m.chars[s[0]], nil
	}
	v, b, err := th.newText(stringType, len(s))
	copy(b, s)
	return v, err
}

func (th *Thread) newBytes(s string) (Value, error) {
	v, b, err := th.newText(bytesType, len(s))
	copy(b, s)
	return v, err
}

// concat returns a new object of the type y with the contents of a and b.
func (th *Thread) concat(y *rt.Type, a, b string) (Value, error) {
	v, to, err := th.newText(y, len(a)+len(b))
	if err == nil {
		copy(to[copy(to, a):], b)
	}
	return v, err
}

// text returns the contents of a string or bytes object. They are good as long as the object.
func (th *Thread) text(v Value) string {
	r := v.ref()
	switch th.t.QuickKind(r) {
	case stringType.ID(), bytesType.ID():
		return th.quickText(r)
	}
	if s, ok := objects.String(r).View(th.t); ok {
		return s
	}
	return th.quickText(r)
}

// quickText is text for an object whose QuickKind is the string type.
func (th *Thread) quickText(r rt.Ref) string {
	o := th.t.Body(r)
	return o.String(textData, int(o.Word(textLen)))
}

// str returns the contents of v, and whether v is a string.
func (th *Thread) str(v Value) (string, bool) {
	if v.isRef() && th.kind(v) == kString {
		return th.text(v), true
	}
	return "", false
}

// textHashOf returns the hash of a string or bytes object, and keeps it in the object if the
// object is mortal.
func (th *Thread) textHashOf(v Value) uint32 {
	r := v.ref()
	if y := th.t.TypeOf(r); y != stringType && y != bytesType {
		return hashText(th.text(v))
	}
	o := th.t.Body(r)
	h := o.Load(textHash)
	if h == 0 {
		h = hashText(th.quickText(r))
		if r.Handle < rt.Limit {
			o.Store(textHash, h)
		}
	}
	return h
}

// immortalString returns a string that is born immortal, with its hash. It is called inside
// Immortally.
func (th *Thread) immortalString(y *rt.Type, s string) (Value, error) {
	v, b, err := th.newText(y, len(s))
	if err != nil {
		return 0, err
	}
	copy(b, s)
	th.t.Body(v.ref()).SetWord(textHash, hashText(s))
	return v, nil
}

// Words of an iterable over the elements of a string or bytes.
const (
	elemsMode = 0
	elemsText = 1
)

const (
	elemStrings = iota
	elemOrds
	pointStrings
	pointOrds
	byteInts
)

func (th *Thread) newElems(text Value, mode uint32) (Value, error) {
	r, o, err := th.t.New(elemsType, 8)
	if err != nil {
		return 0, err
	}
	o.SetWord(elemsMode, mode)
	o.SetRef(elemsText, th.dup(text).ref())
	return counted(r), nil
}

func (th *Thread) elemsOf(v Value) (text Value, mode uint32) {
	o := th.t.Body(v.ref())
	return plain(o.Ref(elemsText)), o.Word(elemsMode)
}
