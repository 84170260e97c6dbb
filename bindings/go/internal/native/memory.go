package native

/*
#include <stdlib.h>
*/
import "C"

import (
	"sync/atomic"
	"unsafe"
)

// Memory is a model's bytes in memory of C's, which the library borrows: a copy, since Go's collector may not be asked to keep a slice where it is for as long as C likes
// (runtime.Pinner is younger than Go 1.19), and nobody can write to it.  It is kept by every handle that may read it; the last one to be freed frees it.
type Memory struct {
	pointer unsafe.Pointer
	bytes   int
	keepers int32
}

// What the library asks of its own buffers holds for these too: their alignment, and readable bytes behind them.
const memoryAlign, memoryTail = 64, 64

// CopyMemory copies data; nil where there is no memory for it.  It has one keeper, the caller.
func CopyMemory(data []byte) *Memory {
	size := (len(data) + memoryTail + memoryAlign - 1) / memoryAlign * memoryAlign
	p := C.aligned_alloc(memoryAlign, C.size_t(size))
	if p == nil {
		return nil
	}
	all := unsafe.Slice((*byte)(p), size)
	for i := copy(all, data); i < size; i++ {
		all[i] = 0
	}
	return &Memory{pointer: p, bytes: len(data), keepers: 1}
}

// Pointer is where the bytes are.
func (m *Memory) Pointer() unsafe.Pointer { return m.pointer }

// Len is how many there are.
func (m *Memory) Len() int { return m.bytes }

// Keep adds a keeper; the caller is one.  A nil Memory is that of a model from a file: nothing.
func (m *Memory) Keep() *Memory {
	if m != nil {
		atomic.AddInt32(&m.keepers, 1)
	}
	return m
}

// Drop ends what Keep or CopyMemory began.
func (m *Memory) Drop() {
	if m != nil && atomic.AddInt32(&m.keepers, -1) == 0 {
		C.free(m.pointer)
		m.pointer = nil
	}
}
