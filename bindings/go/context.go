package leat

/*
#include <leat/leat.h>
#include <stdlib.h>
*/
import "C"

import (
	"context"
	"runtime"
	"unsafe"

	"leat/internal/native"
)

// ContextOptions are how a context is opened; the zero value is the default.
type ContextOptions struct {
	Threads  int    // at most this many of the pool's threads, 0 = all
	Profile  bool   // keep times of each node
	MaxPlans int    // input shapes whose plan is kept, 0 = 4
	Keep     string // an intermediate value to read by KeptCopy after a run
}

// Context is the buffers and plans of one goroutine at a time.  A second call while one is inside fails with EState; Cancel, Close and Poll may come at any time.
type Context struct {
	handle *native.Handle
	model  *Model
	inputs []*Tensor // bound: the library reads them in place
	places []*Tensor // bound by SetOutput
	stale  bool      // a cancel came after its run had ended and is still set
}

// NewContext opens a context; options may be nil.
func (m *Model) NewContext(options *ContextOptions) (*Context, error) {
	var wanted C.leat_context_options
	C.leat_context_options_default(&wanted)
	if options != nil {
		wanted.threads, wanted.max_plans = C.int(native.Int32(options.Threads)), C.int(native.Int32(options.MaxPlans))
		if options.Profile {
			wanted.profile = 1
		}
		if options.Keep != "" {
			keep, err := cString(options.Keep)
			if err != nil {
				return nil, err
			}
			defer free(keep)
			wanted.keep = keep
		}
	}
	p, err := m.handle.Enter()
	if err != nil {
		return nil, err
	}
	defer m.handle.Leave()
	var raw *C.leat_context
	var failed C.leat_error
	if err := failure(C.leat_context_open((*C.leat_model)(p), &wanted, &raw, &failed), &failed); err != nil {
		return nil, err
	}
	c := &Context{model: m, inputs: make([]*Tensor, len(m.inputs)), places: make([]*Tensor, len(m.outputs))}
	memory := m.memory.Keep() // the model is entered and keeps it meanwhile
	c.handle = native.NewHandle(unsafe.Pointer(raw), "context", func(p unsafe.Pointer) {
		C.leat_context_close((*C.leat_context)(p))
		memory.Drop()
	}, func(p unsafe.Pointer) { C.leat_context_cancel((*C.leat_context)(p)) })
	runtime.SetFinalizer(c, func(c *Context) { c.handle.Finalise() })
	return c, nil
}

// enter begins a call that needs the context for itself, with no started run in flight.
func (c *Context) enter() (*C.leat_context, error) {
	p, err := c.handle.EnterAlone()
	if err != nil {
		return nil, err
	}
	raw := (*C.leat_context)(p)
	if C.leat_context_poll(raw) == C.LEAT_EAGAIN {
		c.handle.LeaveAlone()
		return nil, native.Fail(EState, "a started run is in flight; wait for it")
	}
	return raw, nil
}

func (c *Context) leave() {
	c.handle.LeaveAlone()
	runtime.KeepAlive(c) // and with it the tensors that are bound
}

func index(values []ValueInfo, name string) (int, error) {
	for i := range values {
		if values[i].Name == name {
			return i, nil
		}
	}
	return 0, native.Fail(EInval, "the model has no '%s'", name)
}

// SetInput binds an input: the tensor is read in place by every run until another one is set.
func (c *Context) SetInput(name string, tensor *Tensor) error {
	i, err := index(c.model.inputs, name)
	if err != nil {
		return err
	}
	if tensor == nil {
		return native.Fail(EInval, "input '%s': no tensor", name)
	}
	p, err := c.enter()
	if err != nil {
		return err
	}
	defer c.leave()
	raw := tensor.raw()
	var failed C.leat_error
	if err := failure(C.leat_context_set_input(p, C.int(i), &raw, &failed), &failed); err != nil {
		return err
	}
	c.inputs[i] = tensor
	return nil
}

// SetOutput has runs write an output into the tensor's memory, which must be large enough; nil unbinds it.
func (c *Context) SetOutput(name string, tensor *Tensor) error {
	i, err := index(c.model.outputs, name)
	if err != nil {
		return err
	}
	p, err := c.enter()
	if err != nil {
		return err
	}
	defer c.leave()
	var data unsafe.Pointer
	bytes := 0
	if tensor != nil {
		data, bytes = tensor.data, tensor.bytes
	}
	var failed C.leat_error
	err = failure(C.leat_context_set_output(p, C.int(i), data, C.size_t(bytes), &failed), &failed)
	if err == nil {
		c.places[i] = tensor
	}
	return err
}

// Prepare builds the plan for the shapes of the inputs, which the first run would else do.
func (c *Context) Prepare() error {
	p, err := c.enter()
	if err != nil {
		return err
	}
	defer c.leave()
	var failed C.leat_error
	return failure(C.leat_context_prepare(p, &failed), &failed)
}

// Run runs the graph.  It returns ECancelled (which is also context.Canceled) when ctx ends before it does; ctx may be nil.
func (c *Context) Run(ctx context.Context) error {
	return c.cancellable(ctx, func(p *C.leat_context, failed *C.leat_error) C.int { return C.leat_context_run(p, failed) })
}

// Warmup runs `runs` times.
func (c *Context) Warmup(ctx context.Context, runs int) error {
	return c.cancellable(ctx, func(p *C.leat_context, failed *C.leat_error) C.int {
		return C.leat_context_warmup(p, C.int(native.Int32(runs)), failed)
	})
}

func (c *Context) cancellable(ctx context.Context, call func(*C.leat_context, *C.leat_error) C.int) error {
	p, err := c.enter()
	if err != nil {
		return err
	}
	defer c.leave()
	if ctx != nil && ctx.Err() != nil {
		return native.Fail(ECancelled, "cancelled before it began")
	}
	var failed C.leat_error
	stop := native.Watch(ctx, func() { C.leat_context_cancel(p) })
	status := call(p, &failed)
	if c.stale && status == C.LEAT_ECANCELLED {
		status = call(p, &failed)
	}
	c.stale = stop() && status != C.LEAT_ECANCELLED
	return failure(status, &failed)
}

// Start starts a run on the context's own thread.
func (c *Context) Start() error {
	p, err := c.enter()
	if err != nil {
		return err
	}
	defer c.leave()
	var failed C.leat_error
	return failure(C.leat_context_start(p, &failed), &failed)
}

// Poll tells whether no started run is in flight.
func (c *Context) Poll() (bool, error) {
	p, err := c.handle.Enter()
	if err != nil {
		return false, err
	}
	defer c.handle.Leave()
	return C.leat_context_poll((*C.leat_context)(p)) != C.LEAT_EAGAIN, nil
}

// Wait waits for the started run; when ctx ends first, the run is cancelled.
func (c *Context) Wait(ctx context.Context) error {
	p, err := c.handle.EnterAlone()
	if err != nil {
		return err
	}
	defer c.leave()
	raw := (*C.leat_context)(p)
	var failed C.leat_error
	stop := native.Watch(ctx, func() { C.leat_context_cancel(raw) })
	status := C.leat_context_wait(raw, -1, &failed)
	c.stale = stop() && status != C.LEAT_ECANCELLED
	return failure(status, &failed)
}

// Cancel asks the run in progress, or else the next one, to stop between two nodes.
func (c *Context) Cancel() error {
	p, err := c.handle.Enter()
	if err != nil {
		return err
	}
	defer c.handle.Leave()
	C.leat_context_cancel((*C.leat_context)(p))
	return nil
}

// OutputView is an output of the last run without a copy: valid until the next run or Close.
func (c *Context) OutputView(name string) (*Tensor, error) {
	i, err := index(c.model.outputs, name)
	if err != nil {
		return nil, err
	}
	p, err := c.enter()
	if err != nil {
		return nil, err
	}
	defer c.leave()
	var raw C.leat_tensor
	if err := failure(C.leat_context_output(p, C.int(i), &raw), nil); err != nil {
		return nil, err
	}
	return view(&raw, c), nil
}

// Output is a copy of an output of the last run.
func (c *Context) Output(name string) (*Tensor, error) {
	seen, err := c.OutputView(name)
	if err != nil {
		return nil, err
	}
	if _, err := c.handle.EnterAlone(); err != nil {
		return nil, err
	}
	defer c.leave()
	return seen.Clone()
}

// KeptCopy is the value that ContextOptions.Keep names, after a run.
func (c *Context) KeptCopy() (*Tensor, error) {
	p, err := c.enter()
	if err != nil {
		return nil, err
	}
	defer c.leave()
	var raw C.leat_tensor
	if err := failure(C.leat_context_kept(p, &raw), nil); err != nil {
		return nil, err
	}
	return view(&raw, c).Clone()
}

// ContextStats is what a context holds and did; bytes are bytes now.
type ContextStats struct {
	Runs                                                                         uint64
	LastRunNs, PrepareNs                                                         int64
	ArenaBytes, DynamicBytes, WeightBytesMapped, WeightBytesPacked, LargestBytes uint64
	RunAllocations                                                               uint64
	MACs                                                                         int64
	Nodes, Threads                                                               int
}

// Stats tells what the context holds and did.
func (c *Context) Stats() (ContextStats, error) {
	p, err := c.enter()
	if err != nil {
		return ContextStats{}, err
	}
	defer c.leave()
	var raw C.leat_context_stats
	C.leat_context_get_stats(p, &raw)
	return ContextStats{Runs: uint64(raw.runs), LastRunNs: int64(raw.last_run_ns), PrepareNs: int64(raw.prepare_ns), ArenaBytes: uint64(raw.arena_bytes),
		DynamicBytes: uint64(raw.dynamic_bytes), WeightBytesMapped: uint64(raw.weight_bytes_mapped), WeightBytesPacked: uint64(raw.weight_bytes_packed),
		RunAllocations: uint64(raw.run_allocations), MACs: int64(raw.macs), LargestBytes: uint64(raw.largest_bytes), Nodes: int(raw.nodes),
		Threads: int(raw.threads)}, nil
}

// NodeStats is one node of the current plan; times are kept with ContextOptions.Profile.
type NodeStats struct {
	Name, Op, Kernel                    string
	Dims                                []int64
	MACs                                int64
	Bytes, Runs                         uint64
	LastStartNs, LastNs, TotalNs, MinNs int64
}

// Nodes are the nodes of the current plan, in order.
func (c *Context) Nodes() ([]NodeStats, error) {
	p, err := c.enter()
	if err != nil {
		return nil, err
	}
	defer c.leave()
	var found []NodeStats
	var raw C.leat_node_stats
	for C.leat_context_node(p, C.int(len(found)), &raw) == C.LEAT_OK {
		found = append(found, NodeStats{Name: C.GoString(raw.name), Op: C.GoString(raw.op), Kernel: C.GoString(raw.kernel), Dims: view(&raw.output, nil).dims,
			MACs: int64(raw.macs), Bytes: uint64(raw.bytes), Runs: uint64(raw.runs), LastStartNs: int64(raw.last_start_ns), LastNs: int64(raw.last_ns),
			TotalNs: int64(raw.total_ns), MinNs: int64(raw.min_ns)})
	}
	return found, nil
}

// Close frees the context; a run in progress is cancelled, and frees it when it ends.
func (c *Context) Close() error {
	c.handle.Close()
	return nil
}
