package shim

import (
	"hash/maphash"
	old "math/rand"
	"math/rand/v2"
)

// A schedule can be run again only if the program does the same again. So in an exploration
// each thread has random numbers of its own, the same in each schedule.
var (
	// Rand stands for the functions of math/rand.
	Rand = old.New(oldSource{})
	// RandV2 stands for the functions of math/rand/v2.
	RandV2 = rand.New(source{})
)

type source struct{}

func (source) Uint64() uint64 {
	if n, ok := chance(); ok {
		return n
	}
	return rand.Uint64()
}

type oldSource struct{}

func (oldSource) Int63() int64 {
	if n, ok := chance(); ok {
		return int64(n >> 1)
	}
	return old.Int63()
}

func (oldSource) Uint64() uint64 {
	if n, ok := chance(); ok {
		return n
	}
	return old.Uint64()
}

// Seed is not called: the command explore leaves calls of Seed as they are.
func (oldSource) Seed(int64) {}

// RandN is N of math/rand/v2.
func RandN[I ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr](n I) I {
	if n <= 0 {
		panic("invalid argument to N")
	}
	return I(RandV2.Uint64N(uint64(n)))
}

// Rand32 stands for a function of the runtime that packages get with linkname.
func Rand32() uint32 { return uint32(source{}.Uint64()) }

// Rand64 is Rand32 for 64 bits.
func Rand64() uint64 { return source{}.Uint64() }

// seed is that of all hashes in explorations.
var seed = maphash.MakeSeed()

// MakeSeed is maphash.MakeSeed. In an exploration it returns the same seed each time.
func MakeSeed() maphash.Seed {
	if explored() {
		return seed
	}
	return maphash.MakeSeed()
}
