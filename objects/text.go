package objects

import (
	"math"
	"unicode/utf8"

	"github.com/puzpuzpuz/xsync/v3"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/point"
	rt "github.com/ichor-go/ichor/runtime"
)

// Words of the body of String, Bytes and Number. For the hash see latehash.go.
const (
	textHash  = 0
	textLen   = 1
	textBytes = 2
)

// maxText is the most bytes that a text can have. Tests lower it.
var maxText = math.MaxInt32 / 2

var (
	stringType = core.Define(rt.TypeString, rt.Type{
		Name:     "string",
		Forget:   forgetInterned,
		Freezing: textFreezing(checkString),
	}, func(o rt.Body) { o.SetWord(textHash, fold(hashText(nil))) }, settleText)
	bytesType = core.Define(rt.TypeBytes, rt.Type{
		Name:     "bytes",
		Freezing: textFreezing(checkBytes),
	}, func(o rt.Body) { o.SetWord(textHash, fold(hashText(nil))^bytesMark) }, settleText)
	numberType = core.Define(rt.TypeNumber, rt.Type{Name: "number", Freezing: textFreezing(checkNumber)}, nil, settleText)
)

// textOf returns the text of a String, Bytes or Number. It is good as long as the object
// is.
func textOf(o rt.Body) string { return o.String(textBytes, int(o.Word(textLen))) }

// newText makes a text. hash is 0 if nobody has computed it.
func newText[T string | []byte](t *rt.Thread, y *rt.Type, text T, hash uint32) (rt.Ref, error) {
	if len(text) > maxText {
		return rt.Nil, &rt.SizeError{Of: y.Name, Size: int64(len(text)), Unit: "bytes", Most: int64(maxText)}
	}
	r, o, err := t.New(y, 4*textBytes+len(text))
	if err != nil {
		return rt.Nil, err
	}
	o.SetWord(textLen, uint32(len(text)))
	copy(o.Bytes(textBytes, len(text)), text)
	if hash == 0 && r.Handle >= rt.Limit {
		hash = hashOfText(y.ID(), o)
	}
	o.SetWord(textHash, hash)
	return r, nil
}

// ErrNotUTF8 reports that text is not valid UTF-8.
var ErrNotUTF8 = fault.New("not valid UTF-8")

// notUTF8 returns the error for text that is not valid UTF-8, with the place of the first
// bad byte.
func notUTF8(what, text string) error {
	at := 0
	for r, n := utf8.DecodeRuneInString(text); r != utf8.RuneError || n > 1; r, n = utf8.DecodeRuneInString(text[at:]) {
		at += n
	}
	return fault.Errorf("%s: %w at byte %d", what, ErrNotUTF8, at)
}

// String is UTF-8 text. Immutable. Its methods borrow it.
type String rt.Ref

// NewString returns a new reference to a string with the text s. Inside
// rt.Thread.Immortally, equal strings are one object. The error is ErrNotUTF8, a
// *rt.SizeError or rt.ErrMemoryLimit. Attached thread.
func NewString(t *rt.Thread, s string) (String, error) {
	if isShortASCII(s) || utf8.ValidString(s) {
		return newString(t, s)
	}
	return rt.Nil, notUTF8("new string", s)
}

// NewStringBytes is NewString for text in a slice, which it copies. It returns a new
// reference. Attached thread.
func NewStringBytes(t *rt.Thread, b []byte) (String, error) {
	if isShortASCII(b) || utf8.Valid(b) {
		return newString(t, b)
	}
	return rt.Nil, notUTF8("new string", string(b))
}

// newString makes a string of UTF-8. Its exported callers are too large to be inlined. If they
// were inlined into another package, the compiler would allocate the caller's slice: it assumes
// that an instance of a generic function from elsewhere keeps what it gets. See TestNoGarbage.
func newString[T string | []byte](t *rt.Thread, text T) (rt.Ref, error) {
	if len(text) == 0 {
		return rt.EmptyString, nil
	}
	if t.BirthsImmortal() {
		b := []byte(text)
		return equalInRegion(t, core.EqualStrings(t), b, hashText(b))
	}
	return newText(t, stringType, text, 0)
}

// isShortASCII reports whether text has 4 to 16 bytes, and all of them are ASCII. Many strings
// are like that. For one of 11 bytes it takes 1.9 ns, and utf8.ValidString 10.5 (measured).
func isShortASCII[T string | []byte](text T) bool {
	n := len(text)
	if n < 4 || n > 16 {
		return false
	}
	all := word32(text, 0) | word32(text, n-4)
	if n > 8 {
		all |= word32(text, 4) | word32(text, n-8)
	}
	return all&0x80808080 == 0
}

// word32 returns the four bytes of text from i on. The compiler makes one load of it.
func word32[T string | []byte](text T, i int) uint32 {
	return uint32(text[i]) | uint32(text[i+1])<<8 | uint32(text[i+2])<<16 | uint32(text[i+3])<<24
}

// equalInRegion returns the region's string with the text b, and makes it if there is none
// yet.
func equalInRegion(t *rt.Thread, equal map[uint64]rt.Ref, b []byte, h uint64) (rt.Ref, error) {
	if r, ok := equal[h]; ok && textOf(t.Body(r)) == string(b) {
		return r, nil
	}
	r, err := newText(t, stringType, b, fold(h))
	if err == nil {
		equal[h] = r
	}
	return r, err
}

// Intern returns a new reference to the interned string with the text s. While that string
// lives, all calls with its text return it. The table of interned strings is weak: it keeps
// no string alive, and forgets a string at its death. Interning makes nothing immortal. (If
// two texts have the same 64-bit hash, the later one is not interned.) Errors as for
// NewString. Attached thread.
func Intern(t *rt.Thread, s string) (String, error) { return intern(t, []byte(s)) }

func intern(t *rt.Thread, b []byte) (rt.Ref, error) {
	if len(b) == 0 || t.BirthsImmortal() {
		return NewStringBytes(t, b)
	}
	h := hashText(b)
	table := core.Interned(t.Runtime())
	if point.On {
		point.Load(table)
	}
	if r, ok := table.Load(h); ok {
		// The table holds no count, so r may be dead. Its memory stays in place
		// until this thread's next safe point: see rt.Thread.TryIncRef.
		same := textOf(t.Body(r)) == string(b)
		if same && t.TryIncRef(r) {
			return r, nil
		}
		if !same {
			return NewStringBytes(t, b)
		}
	}
	fresh, err := NewStringBytes(t, b)
	if err != nil {
		return rt.Nil, err
	}
	t.Body(fresh).SetWord(textHash, fold(h))
	t.SetWeak(fresh)
	return internFresh(t, table, h, fresh), nil
}

// internFresh enters a new string in the table. If another thread has entered an equal one
// first, it gives fresh up and returns the other's.
func internFresh(t *rt.Thread, table *xsync.MapOf[uint64, rt.Ref], h uint64, fresh rt.Ref) rt.Ref {
	winner := internFirst(t, table, h, fresh)
	if winner != fresh {
		t.DecRef(fresh)
	}
	return winner
}

// internFirst enters a new string, or returns a new reference to the one that is in the
// table.
func internFirst(t *rt.Thread, table *xsync.MapOf[uint64, rt.Ref], h uint64, fresh rt.Ref) (winner rt.Ref) {
	text := textOf(t.Body(fresh))
	if point.On {
		defer point.Whole(table)()
	}
	table.Compute(h, func(old rt.Ref, loaded bool) (rt.Ref, bool) {
		winner = fresh
		if !loaded {
			return fresh, false
		}
		if textOf(t.Body(old)) != text {
			return old, false // another text with this hash is in the table
		}
		if t.TryIncRef(old) {
			winner = old
			return old, false
		}
		return fresh, false // the old one is dead, and about to be forgotten
	})
	return winner
}

// forgetInterned removes a dying string from the table, unless another string has already
// taken its place.
func forgetInterned(t *rt.Thread, r rt.Ref, o rt.Body) {
	h := hashText(o.Bytes(textBytes, int(o.Word(textLen))))
	table := core.Interned(t.Runtime())
	if point.On {
		defer point.Whole(table)()
	}
	table.Compute(h, func(old rt.Ref, loaded bool) (rt.Ref, bool) {
		return old, !loaded || old == r
	})
}

// Text returns a copy of the text, and whether s is a string. Attached thread.
func (s String) Text(t *rt.Thread) (string, bool) {
	v, ok := s.View(t)
	return string([]byte(v)), ok
}

// View returns the text itself, and whether s is a string. The text is borrowed: it is good
// as long as the object is. Attached thread.
func (s String) View(t *rt.Thread) (string, bool) {
	if t.QuickKind(s) == rt.TypeString {
		return textOf(t.Body(s)), true
	}
	return s.viewChecked(t)
}

func (s String) viewChecked(t *rt.Thread) (string, bool) {
	o, ok := t.Object(s, rt.TypeString)
	if !ok {
		return "", false
	}
	return textOf(o), true
}

// Bytes is a sequence of bytes. Immutable. Its methods borrow it.
type Bytes rt.Ref

// NewBytes returns a new reference to a copy of b. The error is a *rt.SizeError or
// rt.ErrMemoryLimit. Attached thread.
func NewBytes(t *rt.Thread, b []byte) (Bytes, error) {
	if len(b) == 0 {
		return rt.EmptyBytes, nil
	}
	return newText(t, bytesType, b, 0)
}

// View returns the bytes themselves, and whether s is a Bytes. The bytes are borrowed: they
// are good as long as the object is, and must not be written. Attached thread.
func (s Bytes) View(t *rt.Thread) ([]byte, bool) {
	o, ok := t.Object(s, rt.TypeBytes)
	if !ok {
		return nil, false
	}
	return o.Bytes(textBytes, int(o.Word(textLen))), true
}

// Number is a number that neither Int nor Float holds without loss. It keeps the decimal
// text that was read. Immutable. Two Numbers are equal if their texts are. Its methods
// borrow it.
type Number rt.Ref

func newNumber(t *rt.Thread, b []byte) (rt.Ref, error) {
	return newText(t, numberType, b, 0)
}

// View returns the number's text, and whether n is a Number. The text is borrowed: it is
// good as long as the object is. Attached thread.
func (n Number) View(t *rt.Thread) (string, bool) {
	o, ok := t.Object(n, rt.TypeNumber)
	if !ok {
		return "", false
	}
	return textOf(o), true
}
