package main

import rt "github.com/ichor-go/ichor/runtime"

// The code is that of a stack machine. Each slot of a task's stack owns a reference. From
// its base on, a function finds its arguments, the variables of its lets, and intermediate
// results. The function itself lies below its base, and keeps its captured values alive.
//
//	stack: … f a b x 1 2
//	           └ base

type op uint8

const (
	opConst  op = iota // push constant a
	opLocal            // push the variable at base+a
	opSet              // pop into the variable at base+a
	opFree             // push captured value a of the function
	opGlobal           // push the value of the cell that is constant a
	opDefine           // pop into the cell that is constant a
	opMake             // pop n values, push a function of prototype a that captures them
	opPop              // pop
	opSlide            // remove the n values below the top
	opJump             // jump to a
	opUnless           // pop, and jump to a if the value is false or nil
	opLoop             // jump back to a: a safe point
	opCall             // call the function below n arguments: a safe point
	opPrim             // pop n arguments, push the result of primitive a
	opReturn           // pop the result, drop the function and all above it, push the result
)

// instr is one instruction.
type instr struct {
	op op
	n  uint16
	a  uint32
}

// proto is the code of a function, without its captured values. It is Go memory. There are
// few protos for Go's garbage collector to visit, and they refer to immortals only.
type proto struct {
	name   string
	file   string
	args   int
	code   []instr
	lines  []int    // of each instruction
	consts []rt.Ref // immortal by address: pushing one reads no other memory
}
