// Package native holds what the packages leat and leat/lm share and C does not see: statuses as errors, and the lifetime of a native object.
package native

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"
	"unsafe"
)

// Status is leat_status: what a call of the library returned.
type Status int

// The statuses of the library.
const (
	OK           Status = 0
	EInval       Status = -1
	ENoMem       Status = -2
	EIO          Status = -3
	EFormat      Status = -4
	EUnsupported Status = -5
	EShape       Status = -6
	EType        Status = -7
	ELimit       Status = -8
	ECancelled   Status = -9
	EAgain       Status = -10
	EState       Status = -11
	EInternal    Status = -12
	EDynamic     Status = -13
	EEnd         Status = -14
)

var statusText = map[Status]string{
	OK: "success", EInval: "invalid argument", ENoMem: "out of memory", EIO: "input or output failed", EFormat: "malformed content",
	EUnsupported: "not supported", EShape: "shape mismatch", EType: "element type mismatch", ELimit: "limit exceeded", ECancelled: "cancelled",
	EAgain: "not ready, try again", EState: "call not allowed in this state", EInternal: "internal error", EDynamic: "shape depends on run-time data",
	EEnd: "end of the stream",
}

// Error makes a status an error by itself, so that errors.Is(err, leat.ECancelled) works.
func (s Status) Error() string {
	if text, ok := statusText[s]; ok {
		return text
	}
	return fmt.Sprintf("status %d", int(s))
}

// Error is a call that failed.
type Error struct {
	Status  Status
	Message string // the library's: names file, node or field, and the remedy where there is one
	Offset  uint64 // byte in the content, 0 when unknown
}

func (e *Error) Error() string {
	if e.Message == "" {
		return "leat: " + e.Status.Error()
	}
	return "leat: " + e.Message
}

// Is makes errors.Is(err, leat.EFormat) true for an Error of that status, and errors.Is(err, context.Canceled) for one that was cancelled.
func (e *Error) Is(target error) bool {
	if status, ok := target.(Status); ok {
		return status == e.Status
	}
	return target == context.Canceled && e.Status == ECancelled
}

// Int32 is value as the library takes it: the nearest that 32 bits hold, which is as far beyond any limit of the library's, and refused there.  A bare conversion would
// make 0, the default, of 1 << 32.
func Int32(value int) int32 {
	if value > math.MaxInt32 {
		return math.MaxInt32
	}
	if value < math.MinInt32 {
		return math.MinInt32
	}
	return int32(value)
}

// Fail makes the error of a status.
func Fail(status Status, format string, args ...interface{}) *Error {
	return &Error{Status: status, Message: fmt.Sprintf(format, args...)}
}

// Handle is the lifetime of a native object that several goroutines may use and anyone may close.  It counts the calls inside the object; Close never waits:
// it marks the handle, asks a run to stop, and whoever leaves last frees.  So closing during a run, or from inside a callback, is safe.
type Handle struct {
	mu      sync.Mutex
	pointer unsafe.Pointer
	what    string
	users   int
	closed  bool
	busy    bool
	free    func(unsafe.Pointer)
	cancel  func(unsafe.Pointer) // or nil
	gone    chan struct{}        // closed by Close
}

// NewHandle takes over a native object.
func NewHandle(pointer unsafe.Pointer, what string, free, cancel func(unsafe.Pointer)) *Handle {
	return &Handle{pointer: pointer, what: what, free: free, cancel: cancel, gone: make(chan struct{})}
}

// Enter begins a call that may overlap with others; Leave ends it.
func (h *Handle) Enter() (unsafe.Pointer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, Fail(EState, "the %s is closed", h.what)
	}
	h.users++
	return h.pointer, nil
}

// Leave ends what Enter began.
func (h *Handle) Leave() {
	h.mu.Lock()
	h.users--
	last := h.closed && h.users == 0
	h.mu.Unlock()
	if last {
		h.free(h.pointer)
	}
}

// EnterAlone begins a call of which there may be one at a time: a second one fails instead of waiting, so a callback that calls back cannot lock itself out.
func (h *Handle) EnterAlone() (unsafe.Pointer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, Fail(EState, "the %s is closed", h.what)
	}
	if h.busy {
		return nil, Fail(EState, "another call is using the %s", h.what)
	}
	h.users++
	h.busy = true
	return h.pointer, nil
}

// LeaveAlone ends what EnterAlone began.
func (h *Handle) LeaveAlone() {
	h.mu.Lock()
	h.busy = false
	h.mu.Unlock()
	h.Leave()
}

// Close frees the object now, or when the calls inside it have left; it asks those to stop.
func (h *Handle) Close() { h.shut(h.cancel) }

// Finalise is Close by the garbage collector, which may come while the last call of an object that nobody needs afterwards is still in it: it stops nothing.
func (h *Handle) Finalise() { h.shut(nil) }

func (h *Handle) shut(cancel func(unsafe.Pointer)) {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return
	}
	h.closed = true
	close(h.gone)
	idle := h.users == 0
	h.mu.Unlock()
	if idle {
		h.free(h.pointer)
	} else if cancel != nil && h.urge(cancel) {
		go func() {
			for h.urge(cancel) {
				time.Sleep(time.Millisecond)
			}
		}()
	}
}

// urge asks the calls inside to stop, and tells whether there are any.  Once is not enough: a call that has not begun yet forgets it.
func (h *Handle) urge(cancel func(unsafe.Pointer)) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.users > 0 {
		cancel(h.pointer) // under the lock, or the last user might free it meanwhile
	}
	return h.users > 0
}

// Gone is closed by Close.
func (h *Handle) Gone() <-chan struct{} { return h.gone }

// Closed tells whether Close was called.
func (h *Handle) Closed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed
}

// Watch calls cancel when ctx ends, again and again, since a call that has not begun yet forgets it, until the function that it returns is called; that one
// tells whether cancel was called.
func Watch(ctx context.Context, cancel func()) (stop func() bool) {
	if ctx == nil || ctx.Done() == nil {
		return func() bool { return false }
	}
	quit, fired := make(chan struct{}), make(chan bool, 1)
	go func() {
		select {
		case <-quit:
			fired <- false
			return
		case <-ctx.Done():
		}
		for {
			cancel()
			select {
			case <-quit:
				fired <- true
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() bool {
		close(quit)
		return <-fired
	}
}
