package main

import rt "github.com/ichor-go/ichor/runtime"

// The code of a stack machine. Each slot of a task's stack owns a reference. A function finds
// what it needs from its base on: the arguments, the variables of its lets, and what is half
// computed. The function itself lies below its base, and keeps what it has captured alive.
//
//	stack: … f a b x 1 2
//	           └ base

type op uint8

const (
	opConst  op = iota // push constant a
	opLocal            // push the variable at base+a
	opSet              // pop into the variable at base+a
	opFree             // push what the function has captured as number a
	opGlobal           // push what is in the cell that is constant a
	opDefine           // pop into the cell that is constant a
	opMake             // pop n values, push a function of prototype a that has captured them
	opPop              // pop
	opSlide            // pop n values from below the top
	opJump             // go on at a
	opUnless           // pop, and go on at a if it is false or nil
	opLoop             // go back to a: a safe point
	opCall             // call the function below n arguments: a safe point
	opPrim             // pop n arguments, push what primitive a makes of them
	opReturn           // pop the result, give up all from the function on, push the result
)

// instr is one instruction.
type instr struct {
	op op
	n  uint16
	a  uint32
}

// proto is the code of a function, without what it captures. It is Go memory: the collector of
// Go has few of them, and they refer to immortals only.
type proto struct {
	name   string
	file   string
	args   int
	code   []instr
	lines  []int    // of each instruction
	consts []rt.Ref // immortal by address: pushing one looks at no memory but this
}
