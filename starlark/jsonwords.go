package starlark

// jsonWords are strings that json.decode has made lately, to use them again: a document repeats
// its keys, and many of its values. Each has a place by its hash; a later one takes the place.
// Keys have places of their own, since values that differ all the time would displace them.
//
// A thread keeps its jsonWords, without the strings, and the memory of the stack of values.
type jsonWords struct {
	keys, others wordTable
	values       []Value
}

// A wordTable owns counts of its strings. used says that there are some.
type wordTable struct {
	words [128]Value
	used  bool
}

// maxWord is the size of the longest string that is kept.
const maxWord = 32

// keptValues is how many values the stack that a thread keeps has room for.
const keptValues = 2 * jsonWaiting

// takeWords returns the thread's jsonWords, or new ones if a call that surrounds this one has them.
func (th *Thread) takeWords() *jsonWords {
	w := th.words
	th.words = nil
	if w == nil {
		w = &jsonWords{}
	}
	return w
}

// giveBackWords gives up the strings, and keeps w and the memory of values for the next call.
func (th *Thread) giveBackWords(w *jsonWords, values []Value) {
	for _, t := range []*wordTable{&w.keys, &w.others} {
		if t.used {
			th.dropAll(t.words[:])
			*t = wordTable{}
		}
	}
	w.values = nil
	if cap(values) <= keptValues {
		w.values = values[:0]
	}
	th.words = w
}

// word returns a string, which is one that t has, if possible.
func (th *Thread) word(t *wordTable, s string) (Value, error) {
	if len(s) <= 1 || len(s) > maxWord {
		return th.newString(s)
	}
	h := hashText(s)
	p := &t.words[h%uint32(len(t.words))]
	if *p != 0 && th.text(*p) == s {
		return th.dup(*p), nil
	}
	v, b, err := th.newText(stringType, len(s))
	if err != nil {
		return 0, err
	}
	copy(b, s)
	th.t.Body(v.ref()).SetWord(textHash, h)
	th.drop(*p)
	*p = th.dup(v)
	t.used = true
	return v, nil
}

// listFill appends values to a list that nobody else has seen. It steals them; if it fails, those
// that it has stolen are 0.
func (th *Thread) listFill(v Value, vs []Value) error {
	o := th.t.Body(v.ref())
	n := int(o.Load(listLen))
	if br := o.LoadRef(listBlock); br.IsNil() || n+len(vs) > int(th.t.Block(br).Word(blockCap)) {
		need := n + len(vs)
		if n > 0 {
			need = max(need, n+n/2)
		}
		if err := th.listGrow(v.ref(), o, need); err != nil {
			return err
		}
	}
	b := th.t.Block(o.LoadRef(listBlock))
	for i, x := range vs {
		r, err := th.box(x)
		if err != nil {
			return err
		}
		vs[i] = 0
		b.SetRef(blockSlots+n, r)
		n++
		o.Store(listLen, uint32(n))
	}
	return nil
}

// tableFill is listFill for a dict: keys and values take turns.
func (th *Thread) tableFill(v Value, vs []Value) error {
	o := th.t.Body(v.ref())
	if o.LoadRef(tableBlock).IsNil() {
		if err := th.tableGrow(v.ref(), o, len(vs)/2); err != nil {
			return err
		}
	}
	for i := 0; i+1 < len(vs); i += 2 {
		h, err := th.hash(vs[i])
		if err == nil {
			_, err = th.tableInsert(v, vs[i], vs[i+1], h)
		}
		if err != nil {
			return err
		}
		vs[i], vs[i+1] = 0, 0
	}
	return nil
}
