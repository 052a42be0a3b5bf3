package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"

	"github.com/VictoriaMetrics/fastcache"
	"github.com/coocood/freecache"
)

// goCache has the entries as the values that encoding/json makes.
type goCache struct{ chunks []map[int]map[string]any }

func (c *goCache) build(entries int) error {
	return chunksOf(entries, func(from, to int) error {
		m := make(map[int]map[string]any, to-from)
		for i := from; i < to; i++ {
			tags := make([]any, 0, cacheTags)
			for _, tag := range tagsOf(i) {
				tags = append(tags, tag)
			}
			m[i] = map[string]any{"id": int64(i), "name": cacheName(i), "brand": cacheBrand(i), "price": cachePrice(i), "stock": int64(cacheStock(i)), "tags": tags}
		}
		c.chunks = append(c.chunks, m)
		return nil
	})
}

func (c *goCache) reading(fn func(func(int) ([]byte, error)) error) error {
	return fn(func(i int) ([]byte, error) {
		e := c.chunks[i/cacheChunk][i]
		id, ok1 := e["id"].(int64)
		stock, ok2 := e["stock"].(int64)
		price, ok3 := e["price"].(float64)
		name, ok4 := e["name"].(string)
		brand, ok5 := e["brand"].(string)
		if !(ok1 && ok2 && ok3 && ok4 && ok5) {
			return nil, errMissing
		}
		return cacheAnswer(id, stock, price, name, brand), nil
	})
}

func (*goCache) close() error { return nil }

// cacheEntry is an entry as a struct.
type cacheEntry struct {
	ID    int64    `json:"id"`
	Name  string   `json:"name"`
	Brand string   `json:"brand"`
	Price float64  `json:"price"`
	Stock int64    `json:"stock"`
	Tags  []string `json:"tags"`
}

func newCacheEntry(i int) *cacheEntry {
	return &cacheEntry{int64(i), cacheName(i), cacheBrand(i), cachePrice(i), int64(cacheStock(i)), tagsOf(i)}
}

func (e *cacheEntry) answer() []byte {
	return cacheAnswer(e.ID, e.Stock, e.Price, e.Name, e.Brand)
}

// structCache has the entries as Go structs.
type structCache struct{ chunks []map[int]*cacheEntry }

func (c *structCache) build(entries int) error {
	return chunksOf(entries, func(from, to int) error {
		m := make(map[int]*cacheEntry, to-from)
		for i := from; i < to; i++ {
			m[i] = newCacheEntry(i)
		}
		c.chunks = append(c.chunks, m)
		return nil
	})
}

func (c *structCache) reading(fn func(func(int) ([]byte, error)) error) error {
	return fn(func(i int) ([]byte, error) {
		e, ok := c.chunks[i/cacheChunk][i]
		if !ok {
			return nil, errMissing
		}
		return e.answer(), nil
	})
}

func (*structCache) close() error { return nil }

// cacheTextBytes is the space for an entry in the byte caches: more than it needs, so that
// nothing is evicted.
const cacheTextBytes = 320

// cacheKey is the key of entry i in the byte caches.
func cacheKey(i int) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(i)) }

// decoded returns the answer to a read of an entry that is stored as JSON.
func decoded(text []byte) ([]byte, error) {
	var e cacheEntry
	if err := json.Unmarshal(text, &e); err != nil {
		return nil, err
	}
	return e.answer(), nil
}

// freeCache has the entries as JSON in freecache.
type freeCache struct{ c *freecache.Cache }

func (c *freeCache) build(entries int) error {
	c.c = freecache.NewCache(entries * cacheTextBytes)
	for i := range entries {
		text, err := json.Marshal(newCacheEntry(i))
		if err == nil {
			err = c.c.Set(cacheKey(i), text, 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *freeCache) reading(fn func(func(int) ([]byte, error)) error) error {
	return fn(func(i int) ([]byte, error) {
		text, err := c.c.Get(cacheKey(i))
		if err != nil {
			return nil, errors.Join(errMissing, err)
		}
		return decoded(text)
	})
}

func (*freeCache) close() error { return nil }

// fastCache has the entries as JSON in fastcache.
type fastCache struct{ c *fastcache.Cache }

func (c *fastCache) build(entries int) error {
	c.c = fastcache.New(entries * cacheTextBytes)
	for i := range entries {
		text, err := json.Marshal(newCacheEntry(i))
		if err != nil {
			return err
		}
		c.c.Set(cacheKey(i), text)
	}
	return nil
}

func (c *fastCache) reading(fn func(func(int) ([]byte, error)) error) error {
	var buffer []byte
	return fn(func(i int) ([]byte, error) {
		var found bool
		if buffer, found = c.c.HasGet(buffer[:0], cacheKey(i)); !found {
			return nil, errMissing
		}
		return decoded(buffer)
	})
}

func (c *fastCache) close() error {
	if c.c != nil {
		c.c.Reset() // its memory is outside the Go heap
	}
	return nil
}
