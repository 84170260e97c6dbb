package leat

/*
#include <leat/leat.h>
#include <stdlib.h>
*/
import "C"

import (
	"runtime"
	"unsafe"

	"leat/internal/native"
)

// ModelOptions are how a model is opened; the zero value is the default.
type ModelOptions struct {
	Threads          int    // of the model's own pool, 0 = all usable CPUs
	NoFusion         bool   // keep the graph as the file has it
	AllowLinks       bool   // external data may be reached through links that stay under the model's folder
	AllowUnsupported bool   // open although operators are missing, to look at it
	MaxBytes         uint64 // refuse larger tensors, 0 = 16 GiB
}

func (o *ModelOptions) raw() C.leat_model_options {
	var raw C.leat_model_options
	C.leat_model_options_default(&raw)
	if o == nil {
		return raw
	}
	raw.threads, raw.max_bytes = C.int(native.Int32(o.Threads)), C.uint64_t(o.MaxBytes)
	if o.AllowLinks {
		raw.flags |= C.LEAT_MODEL_ALLOW_LINKS
	}
	if o.NoFusion {
		raw.flags |= C.LEAT_MODEL_NO_FUSION
	}
	if o.AllowUnsupported {
		raw.flags |= C.LEAT_MODEL_ALLOW_UNSUPPORTED
	}
	return raw
}

// Model is an ONNX model: read-only, shared by contexts and goroutines.
type Model struct {
	handle          *native.Handle
	memory          *native.Memory // that it was opened from, or nil
	inputs, outputs []ValueInfo
}

// newModel takes over a model and the memory that it reads.
func newModel(raw *C.leat_model, memory *native.Memory) *Model {
	m := &Model{memory: memory, handle: native.NewHandle(unsafe.Pointer(raw), "model", func(p unsafe.Pointer) {
		C.leat_model_unref((*C.leat_model)(p))
		memory.Drop()
	}, nil)}
	for i := 0; i < int(C.leat_model_input_count(raw)); i++ {
		var info C.leat_value_info
		C.leat_model_input_info(raw, C.int(i), &info)
		m.inputs = append(m.inputs, valueInfo(&info))
	}
	for i := 0; i < int(C.leat_model_output_count(raw)); i++ {
		var info C.leat_value_info
		C.leat_model_output_info(raw, C.int(i), &info)
		m.outputs = append(m.outputs, valueInfo(&info))
	}
	runtime.SetFinalizer(m, func(m *Model) { m.handle.Finalise() })
	return m
}

// OpenModel opens an ONNX file; options may be nil.
func OpenModel(path string, options *ModelOptions) (*Model, error) {
	name, err := cString(path)
	if err != nil {
		return nil, err
	}
	defer free(name)
	var raw *C.leat_model
	var failed C.leat_error
	wanted := options.raw()
	if err := failure(C.leat_model_open(name, &wanted, &raw, &failed), &failed); err != nil {
		return nil, err
	}
	return newModel(raw, nil), nil
}

// OpenModelMemory opens a model from the bytes of an ONNX file, whose tensors must all be in it; options may be nil.  They are copied into memory of C's, once, which is freed
// with the model and the last of its contexts: data is the caller's again when OpenModelMemory returns.
func OpenModelMemory(data []byte, options *ModelOptions) (*Model, error) {
	memory := native.CopyMemory(data)
	if memory == nil {
		return nil, native.Fail(ENoMem, "no memory for a model of %d bytes", len(data))
	}
	var raw *C.leat_model
	var failed C.leat_error
	wanted := options.raw()
	if err := failure(C.leat_model_open_memory(memory.Pointer(), C.size_t(memory.Len()), &wanted, &raw, &failed), &failed); err != nil {
		memory.Drop()
		return nil, err
	}
	return newModel(raw, memory), nil
}

// ValueInfo is an input or output as the model declares it.
type ValueInfo struct {
	Name     string
	DType    DType
	Rank     int      // -1: unknown
	Dims     []int64  // -1: symbolic or unknown
	DimNames []string // of symbolic ones, else ""
}

func valueInfo(raw *C.leat_value_info) ValueInfo {
	info := ValueInfo{Name: C.GoString(raw.name), DType: DType(raw.dtype), Rank: int(raw.rank)}
	for d := 0; d < info.Rank; d++ {
		info.Dims = append(info.Dims, int64(raw.dims[d]))
		info.DimNames = append(info.DimNames, C.GoString(raw.dim_names[d]))
	}
	return info
}

// Inputs are the inputs in the model's order.
func (m *Model) Inputs() []ValueInfo { return append([]ValueInfo(nil), m.inputs...) }

// Outputs are the outputs in the model's order.
func (m *Model) Outputs() []ValueInfo { return append([]ValueInfo(nil), m.outputs...) }

// ModelInfo is what a model is made of.
type ModelInfo struct {
	Producer, ProducerVersion, GraphName, Doc string
	IRVersion                                 int64
	Opset                                     int
	Parameters                                int64
	FileBytes                                 uint64
	NodesFile, NodesRun, Unsupported          int
	OpenNs                                    int64
}

// Info tells what the model is made of.
func (m *Model) Info() (ModelInfo, error) {
	p, err := m.handle.Enter()
	if err != nil {
		return ModelInfo{}, err
	}
	defer m.handle.Leave()
	var raw C.leat_model_info
	C.leat_model_get_info((*C.leat_model)(p), &raw)
	return ModelInfo{Producer: C.GoString(raw.producer), ProducerVersion: C.GoString(raw.producer_version), GraphName: C.GoString(raw.graph_name),
		Doc: C.GoString(raw.doc), IRVersion: int64(raw.ir_version), Opset: int(raw.opset), Parameters: int64(raw.parameters),
		FileBytes: uint64(raw.file_bytes), NodesFile: int(raw.nodes_file), NodesRun: int(raw.nodes_run), Unsupported: int(raw.unsupported),
		OpenNs: int64(raw.open_ns)}, nil
}

// OperatorInfo is one kind of operator in the file.
type OperatorInfo struct {
	Domain, Op              string
	Opset, Count, Supported int
}

// Operators are the kinds of operators in the file, the most frequent first.
func (m *Model) Operators() ([]OperatorInfo, error) {
	p, err := m.handle.Enter()
	if err != nil {
		return nil, err
	}
	defer m.handle.Leave()
	var found []OperatorInfo
	var raw C.leat_operator_info
	for C.leat_model_operator((*C.leat_model)(p), C.int(len(found)), &raw) == C.LEAT_OK {
		found = append(found, OperatorInfo{Domain: C.GoString(raw.domain), Op: C.GoString(raw.op), Opset: int(raw.opset), Count: int(raw.count),
			Supported: int(raw.supported)})
	}
	return found, nil
}

// Unsupported are the operators without an implementation: domain, name, node and reason.
func (m *Model) Unsupported() ([]string, error) {
	p, err := m.handle.Enter()
	if err != nil {
		return nil, err
	}
	defer m.handle.Leave()
	var found []string
	for {
		line := C.leat_model_unsupported((*C.leat_model)(p), C.int(len(found)))
		if line == nil {
			return found, nil
		}
		found = append(found, C.GoString(line))
	}
}

// ConstantCopy is an initializer or folded constant of the optimised graph.
func (m *Model) ConstantCopy(name string) (*Tensor, error) {
	text, err := cString(name)
	if err != nil {
		return nil, err
	}
	defer free(text)
	p, err := m.handle.Enter()
	if err != nil {
		return nil, err
	}
	defer m.handle.Leave()
	var raw C.leat_tensor
	if C.leat_model_constant((*C.leat_model)(p), text, &raw) != C.LEAT_OK {
		return nil, native.Fail(EInval, "the optimised graph has no constant '%s'", name)
	}
	return view(&raw, m).Clone()
}

// DumpFormat is how Dump writes a graph.
type DumpFormat int

// The formats of Dump.
const (
	DumpText DumpFormat = C.LEAT_DUMP_TEXT
	DumpDot  DumpFormat = C.LEAT_DUMP_DOT
	DumpJSON DumpFormat = C.LEAT_DUMP_JSON
)

// Dump writes the optimised graph.
func (m *Model) Dump(format DumpFormat) (string, error) {
	p, err := m.handle.Enter()
	if err != nil {
		return "", err
	}
	defer m.handle.Leave()
	var text *C.char
	if err := failure(C.leat_model_dump((*C.leat_model)(p), C.leat_dump_format(format), &text), nil); err != nil {
		return "", err
	}
	defer C.leat_free(unsafe.Pointer(text))
	return C.GoString(text), nil
}

// Close drops the model; contexts that were made from it live on.
func (m *Model) Close() error {
	m.handle.Close()
	return nil
}
