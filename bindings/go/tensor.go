package leat

/*
#include <leat/tensor.h>
#include <stdlib.h>
#include <string.h>

static void *new_buffer(size_t bytes) {
    void *data = NULL;
    size_t room = (bytes + 2 * LEAT_TAIL_BYTES - 1) / LEAT_ALIGN * LEAT_ALIGN;
    if (posix_memalign(&data, LEAT_ALIGN, room)) return NULL;
    return memset(data, 0, room);
}
*/
import "C"

import (
	"runtime"
	"unsafe"

	"leat/internal/native"
)

// DType is the type of a tensor's elements; the numbers are ONNX's.
type DType int

// The element types.
const (
	Float32    DType = C.LEAT_DTYPE_F32
	Uint8      DType = C.LEAT_DTYPE_U8
	Int8       DType = C.LEAT_DTYPE_I8
	Uint16     DType = C.LEAT_DTYPE_U16
	Int16      DType = C.LEAT_DTYPE_I16
	Int32      DType = C.LEAT_DTYPE_I32
	Int64      DType = C.LEAT_DTYPE_I64
	Bool       DType = C.LEAT_DTYPE_BOOL
	Float16    DType = C.LEAT_DTYPE_F16
	Float64    DType = C.LEAT_DTYPE_F64
	Uint32     DType = C.LEAT_DTYPE_U32
	Uint64     DType = C.LEAT_DTYPE_U64
	Complex64  DType = C.LEAT_DTYPE_C64
	Complex128 DType = C.LEAT_DTYPE_C128
	BFloat16   DType = C.LEAT_DTYPE_BF16
)

func (d DType) String() string { return C.GoString(C.leat_dtype_name(C.leat_dtype(d))) }

// Size is the number of bytes of an element.
func (d DType) Size() int { return int(C.leat_dtype_size(C.leat_dtype(d))) }

// Tensor is a row-major block of elements outside Go's heap, so that the library can use it in place.
type Tensor struct {
	dtype DType
	dims  []int64
	bytes int
	data  unsafe.Pointer
	owner interface{} // of a view: what holds the memory
}

// NewTensor allocates a tensor of zeros.  It is freed when nobody refers to it any more; a context refers to what is bound to it.
func NewTensor(dtype DType, dims ...int64) (*Tensor, error) {
	raw := C.leat_tensor{dtype: C.leat_dtype(dtype), rank: C.int32_t(len(dims))}
	if len(dims) > C.LEAT_MAX_RANK {
		return nil, native.Fail(EShape, "%d dimensions, the limit is %d", len(dims), int(C.LEAT_MAX_RANK))
	}
	for i, dim := range dims {
		raw.dims[i] = C.int64_t(dim)
	}
	bytes := uint64(C.leat_tensor_bytes(&raw))
	if dtype.Size() == 0 || bytes > 1<<46 {
		return nil, native.Fail(EShape, "%v of %v is not a valid tensor", dims, dtype)
	}
	data := C.new_buffer(C.size_t(bytes))
	if data == nil {
		return nil, native.Fail(ENoMem, "out of memory for a tensor of %d bytes", bytes)
	}
	t := &Tensor{dtype: dtype, dims: append([]int64(nil), dims...), bytes: int(bytes), data: data}
	runtime.SetFinalizer(t, func(t *Tensor) { C.free(t.data) })
	return t, nil
}

// view is a tensor over memory of the library's, which owner keeps.
func view(raw *C.leat_tensor, owner interface{}) *Tensor {
	t := &Tensor{dtype: DType(raw.dtype), bytes: int(C.leat_tensor_bytes(raw)), data: raw.data, owner: owner}
	for d := 0; d < int(raw.rank); d++ {
		t.dims = append(t.dims, int64(raw.dims[d]))
	}
	return t
}

func (t *Tensor) raw() C.leat_tensor {
	raw := C.leat_tensor{data: t.data, dtype: C.leat_dtype(t.dtype), rank: C.int32_t(len(t.dims))}
	for i, dim := range t.dims {
		raw.dims[i] = C.int64_t(dim)
	}
	return raw
}

// DType is the type of the elements.
func (t *Tensor) DType() DType { return t.dtype }

// Dims are the dimensions, the slowest first.
func (t *Tensor) Dims() []int64 { return append([]int64(nil), t.dims...) }

// Len is the number of elements.
func (t *Tensor) Len() int {
	if t.bytes == 0 {
		return 0
	}
	return t.bytes / t.dtype.Size()
}

// Clone copies a tensor, for instance a view that is to outlive the next run.
func (t *Tensor) Clone() (*Tensor, error) {
	copied, err := NewTensor(t.dtype, t.dims...)
	if err == nil && t.bytes > 0 {
		C.memcpy(copied.data, t.data, C.size_t(t.bytes))
	}
	runtime.KeepAlive(t)
	return copied, err
}

// Element is a Go type that a tensor's elements may have.
type Element interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | bool | complex64 | complex128
}

func dtypeOf(sample interface{}) DType {
	switch sample.(type) {
	case float32:
		return Float32
	case float64:
		return Float64
	case int8:
		return Int8
	case int16:
		return Int16
	case int32:
		return Int32
	case int64:
		return Int64
	case uint8:
		return Uint8
	case uint16:
		return Uint16
	case uint32:
		return Uint32
	case uint64:
		return Uint64
	case bool:
		return Bool
	case complex64:
		return Complex64
	default:
		return Complex128
	}
}

// Data is the tensor's memory as a slice, not a copy: it is valid as long as the tensor is referred to (runtime.KeepAlive), a view's until the next run.
// T must be the element type; float16 and bfloat16 are uint16.
func Data[T Element](t *Tensor) ([]T, error) {
	var sample T
	want := dtypeOf(sample)
	if want != t.dtype && !(want == Uint16 && (t.dtype == Float16 || t.dtype == BFloat16)) {
		return nil, native.Fail(EType, "the tensor is %v, not %v", t.dtype, want)
	}
	if t.bytes == 0 {
		return []T{}, nil
	}
	return unsafe.Slice((*T)(t.data), t.Len()), nil
}

// TensorOf makes a tensor with a copy of the values.
func TensorOf[T Element](values []T, dims ...int64) (*Tensor, error) {
	var sample T
	t, err := NewTensor(dtypeOf(sample), dims...)
	if err != nil {
		return nil, err
	}
	if t.Len() != len(values) {
		return nil, native.Fail(EShape, "%d values for a tensor of %d", len(values), t.Len())
	}
	memory, err := Data[T](t)
	copy(memory, values)
	runtime.KeepAlive(t)
	return t, err
}
