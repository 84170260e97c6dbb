// Package leat runs ONNX models on the CPU by libleat; package leat/lm has the language models.
//
//	model, err := leat.OpenModel("classifier.onnx", nil)
//	context, err := model.NewContext(nil)
//	image, err := leat.NewTensor(leat.Float32, 1, 3, 64, 64)
//	pixels, err := leat.Data[float32](image)             // fill it in place
//	err = context.SetInput("image", image)
//	err = context.Run(ctx)
//	logits, err := context.Output("logits")              // a copy; OutputView has none
//
// Objects are freed by Close, or by the garbage collector.  A Model is read-only and may be shared; a Context is used by one goroutine at a time, but
// Close, Cancel and Poll may come from any.  The library is found by pkg-config: `make install`, or PKG_CONFIG_PATH=<build folder>.
package leat

/*
#cgo pkg-config: leat
#include <leat/leat.h>
#include <stdlib.h>
*/
import "C"

import (
	"unsafe"

	"leat/internal/native"
)

// Status is what a call of the library returned; it is an error, to be looked for by errors.Is.
type Status = native.Status

// The statuses of the library.
const (
	OK           = native.OK
	EInval       = native.EInval
	ENoMem       = native.ENoMem
	EIO          = native.EIO
	EFormat      = native.EFormat
	EUnsupported = native.EUnsupported
	EShape       = native.EShape
	EType        = native.EType
	ELimit       = native.ELimit
	ECancelled   = native.ECancelled
	EAgain       = native.EAgain
	EState       = native.EState
	EInternal    = native.EInternal
	EDynamic     = native.EDynamic
	EEnd         = native.EEnd
)

// Error is a failed call: status, the library's message, and where in the content.
type Error = native.Error

// Version of the library that is linked.
func Version() string { return C.GoString(C.leat_version()) }

// CPUCount is the number of CPUs that this process may use (affinity and cgroup quota).
func CPUCount() int { return int(C.leat_cpu_count()) }

// ISA is the instruction-set level in use: "ref", "avx2", "avx512", "avx512vnni", "neon", "neondot" or "neoni8mm".
func ISA() string { return C.GoString(C.leat_isa_name(C.leat_isa_selected())) }

// MemoryStats is what the library holds in this process.
type MemoryStats struct {
	LiveBytes      map[string]uint64 // by what they are for
	PeakBytes      uint64
	Allocations    uint64
	HotAllocations uint64
}

// Memory reads the process-wide counters.
func Memory() MemoryStats {
	var raw C.leat_memory_stats
	C.leat_memory_get(&raw)
	stats := MemoryStats{LiveBytes: map[string]uint64{}, PeakBytes: uint64(raw.peak_bytes), Allocations: uint64(raw.allocations),
		HotAllocations: uint64(raw.hot_allocations)}
	for tag, live := range raw.live_bytes {
		stats.LiveBytes[C.GoString(C.leat_memory_tag_name(C.leat_memory_tag(tag)))] = uint64(live)
	}
	return stats
}

// failure turns a status and what the library wrote about it into an error; nil for LEAT_OK.
func failure(status C.int, raw *C.leat_error) error {
	if status == C.LEAT_OK {
		return nil
	}
	err := &Error{Status: Status(status)}
	if raw != nil {
		err.Message, err.Offset = C.GoString(&raw.message[0]), uint64(raw.offset)
	}
	return err
}

// cString is a C string that the caller frees.
func cString(text string) (*C.char, error) {
	for i := 0; i < len(text); i++ {
		if text[i] == 0 {
			return nil, native.Fail(EInval, "a name or path may not contain NUL")
		}
	}
	return C.CString(text), nil
}

func free(text *C.char) { C.free(unsafe.Pointer(text)) }
