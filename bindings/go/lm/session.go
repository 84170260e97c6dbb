package lm

/*
#include <leat/generate.h>
#include <stdlib.h>
*/
import "C"

import (
	"context"
	"runtime"
	"sync"
	"unsafe"

	"leat/internal/native"
)

// KVType is how a session keeps keys and values.
type KVType int

// The types of a KV cache.
const (
	KVF16 KVType = C.LEAT_KV_F16
	KVF32 KVType = C.LEAT_KV_F32
	KVQ80 KVType = C.LEAT_KV_Q8_0
)

// Pooling is how the vectors of tokens become the one of a text.
type Pooling int

// The kinds of pooling.
const (
	PoolingModel Pooling = C.LEAT_POOLING_MODEL // as the file says
	PoolingMean  Pooling = C.LEAT_POOLING_MEAN
	PoolingCLS   Pooling = C.LEAT_POOLING_CLS
	PoolingLast  Pooling = C.LEAT_POOLING_LAST
)

// SessionOptions are how a session is opened; the zero value is the default.
type SessionOptions struct {
	Context int // tokens that it can hold; 0 = the model's, at most 8192
	Batch   int // tokens evaluated at once at most, 0 = 512
	KVType  KVType
	Threads int // at most this many of the pool's threads, 0 = all
}

// Session is one conversation: a KV cache and the tokens that it holds.
type Session struct {
	handle     *native.Handle
	context    int
	vocabulary int
	mu         sync.Mutex
	endStream  context.CancelFunc // of the stream that is under way, or nil
}

// NewSession opens a session, which keeps the model's memory; options may be nil.
func (m *Model) NewSession(options *SessionOptions) (*Session, error) {
	var wanted C.leat_lm_session_options
	C.leat_lm_session_options_default(&wanted)
	if options != nil {
		wanted.context, wanted.batch, wanted.threads = C.int32_t(native.Int32(options.Context)), C.int32_t(native.Int32(options.Batch)), C.int(native.Int32(options.Threads))
		wanted.kv_type = C.leat_kv_type(options.KVType)
	}
	info, err := m.Info()
	if err != nil {
		return nil, err
	}
	p, err := m.handle.Enter()
	if err != nil {
		return nil, err
	}
	defer m.handle.Leave()
	var raw *C.leat_lm_session
	var failed C.leat_error
	if err := failure(C.leat_lm_session_open((*C.leat_lm)(p), &wanted, &raw, &failed), &failed); err != nil {
		return nil, err
	}
	var stats C.leat_lm_session_stats
	C.leat_lm_session_get_stats(raw, &stats)
	s := &Session{context: int(stats.context), vocabulary: info.Vocabulary}
	memory := m.memory.Keep() // the model is entered and keeps it meanwhile
	s.handle = native.NewHandle(unsafe.Pointer(raw), "session", func(p unsafe.Pointer) {
		C.leat_lm_session_close((*C.leat_lm_session)(p))
		memory.Drop()
	}, func(p unsafe.Pointer) { C.leat_lm_cancel((*C.leat_lm_session)(p)) })
	runtime.SetFinalizer(s, func(s *Session) { s.handle.Finalise() })
	return s, nil
}

func (s *Session) enter() (*C.leat_lm_session, error) {
	p, err := s.handle.EnterAlone()
	return (*C.leat_lm_session)(p), err
}

// Cancel asks whatever the session is doing to stop, within a token: it returns leat.ECancelled.  A stream counts from the return of GenerateStream on.
func (s *Session) Cancel() error {
	p, err := s.handle.Enter()
	if err != nil {
		return err
	}
	defer s.handle.Leave()
	s.mu.Lock()
	if s.endStream != nil {
		s.endStream() // also one whose call into the library has not begun yet, which would forget a cancel
	}
	s.mu.Unlock()
	C.leat_lm_cancel((*C.leat_lm_session)(p))
	return nil
}

// first is the address of a slice's memory; the library is told how long it is.
func first(tokens []int32) *C.int32_t {
	if len(tokens) == 0 {
		return nil
	}
	return (*C.int32_t)(unsafe.Pointer(&tokens[0]))
}

// Sync makes the session hold exactly these tokens: what it has in common with them from the start is kept, what is missing is evaluated.
func (s *Session) Sync(tokens []int32) error {
	p, err := s.enter()
	if err != nil {
		return err
	}
	defer s.handle.LeaveAlone()
	var failed C.leat_error
	return failure(C.leat_lm_sync(p, first(tokens), C.int64_t(len(tokens)), &failed), &failed)
}

// SyncLogits does the same, and gives the logits of every position [tokens, vocabulary]; it evaluates all anew.
func (s *Session) SyncLogits(tokens []int32) ([]float32, error) {
	p, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer s.handle.LeaveAlone()
	logits := make([]float32, len(tokens)*s.vocabulary+1)
	var failed C.leat_error
	status := C.leat_lm_sync_logits(p, first(tokens), C.int64_t(len(tokens)), (*C.float)(unsafe.Pointer(&logits[0])), &failed)
	return logits[:len(logits)-1], failure(status, &failed)
}

// LogitsView is the logits [vocabulary] of the token after the last one: the session's own memory, valid until its next call or Close, as long as the session
// is referred to.
func (s *Session) LogitsView() ([]float32, error) {
	p, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer s.handle.LeaveAlone()
	var logits *C.float
	if err := failure(C.leat_lm_logits(p, &logits), nil); err != nil {
		return nil, err
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(logits)), s.vocabulary), nil
}

// Tokens is a copy of the tokens that the session holds.
func (s *Session) Tokens() ([]int32, error) {
	p, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer s.handle.LeaveAlone()
	var tokens *C.int32_t
	var count C.int64_t
	C.leat_lm_session_tokens(p, &tokens, &count)
	if count == 0 {
		return []int32{}, nil
	}
	return append([]int32(nil), unsafe.Slice((*int32)(unsafe.Pointer(tokens)), int(count))...), nil
}

// EmbedView is the vector of a text, of length 1 when normalise: the session's own memory without a copy, valid until its next call or Close, as long as
// the session is referred to.  The session is empty afterwards.
func (s *Session) EmbedView(text string, pooling Pooling, normalise bool) ([]float32, error) {
	raw := append([]byte(text), 0)
	return s.embed(func(p *C.leat_lm_session, norm C.int, vector **C.float, size *C.int64_t, failed *C.leat_error) C.int {
		return C.leat_lm_embed(p, (*C.char)(unsafe.Pointer(&raw[0])), C.size_t(len(text)), C.leat_pooling(pooling), norm, vector, size, failed)
	}, normalise)
}

// EmbedTokensView is the same of tokens.
func (s *Session) EmbedTokensView(tokens []int32, pooling Pooling, normalise bool) ([]float32, error) {
	return s.embed(func(p *C.leat_lm_session, norm C.int, vector **C.float, size *C.int64_t, failed *C.leat_error) C.int {
		return C.leat_lm_embed_tokens(p, first(tokens), C.int64_t(len(tokens)), C.leat_pooling(pooling), norm, vector, size, failed)
	}, normalise)
}

// Embed is a copy of the vector of a text.
func (s *Session) Embed(text string, pooling Pooling, normalise bool) ([]float32, error) {
	seen, err := s.EmbedView(text, pooling, normalise)
	if err != nil {
		return nil, err
	}
	if _, err := s.enter(); err != nil { // not freed while it is copied
		return nil, err
	}
	defer s.handle.LeaveAlone()
	return append([]float32(nil), seen...), nil
}

func (s *Session) embed(call func(*C.leat_lm_session, C.int, **C.float, *C.int64_t, *C.leat_error) C.int, normalise bool) ([]float32, error) {
	p, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer s.handle.LeaveAlone()
	var vector *C.float
	var size C.int64_t
	var failed C.leat_error
	norm := C.int(0)
	if normalise {
		norm = 1
	}
	if err := failure(call(p, norm, &vector, &size, &failed), &failed); err != nil {
		return nil, err
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(vector)), int(size)), nil
}

// Save writes tokens, KV cache and the state of the random numbers to a file.
func (s *Session) Save(path string) error {
	return s.file(path, func(p *C.leat_lm_session, name *C.char, failed *C.leat_error) C.int {
		return C.leat_lm_session_save(p, name, failed)
	})
}

// Load reads what Save wrote, for the same model and KV type.  On failure the session is empty.
func (s *Session) Load(path string) error {
	return s.file(path, func(p *C.leat_lm_session, name *C.char, failed *C.leat_error) C.int {
		return C.leat_lm_session_load(p, name, failed)
	})
}

func (s *Session) file(path string, call func(*C.leat_lm_session, *C.char, *C.leat_error) C.int) error {
	name, err := cString(path, "a path")
	if err != nil {
		return err
	}
	defer C.free(unsafe.Pointer(name))
	p, err := s.enter()
	if err != nil {
		return err
	}
	defer s.handle.LeaveAlone()
	var failed C.leat_error
	return failure(call(p, name, &failed), &failed)
}

// SessionStats is what a session holds and did since it was opened.
type SessionStats struct {
	KVBytes, ScratchBytes         uint64
	EvaluatedTokens, ReusedTokens int64
	PromptNs, PromptTokens        int64
	DecodeNs, DecodeTokens        int64
	Allocations                   uint64
	Context, Threads              int
}

// Stats tells what the session holds and did.
func (s *Session) Stats() (SessionStats, error) {
	p, err := s.enter()
	if err != nil {
		return SessionStats{}, err
	}
	defer s.handle.LeaveAlone()
	var raw C.leat_lm_session_stats
	C.leat_lm_session_get_stats(p, &raw)
	return SessionStats{KVBytes: uint64(raw.kv_bytes), ScratchBytes: uint64(raw.scratch_bytes), EvaluatedTokens: int64(raw.evaluated_tokens),
		ReusedTokens: int64(raw.reused_tokens), PromptNs: int64(raw.prompt_ns), PromptTokens: int64(raw.prompt_tokens), DecodeNs: int64(raw.decode_ns),
		DecodeTokens: int64(raw.decode_tokens), Allocations: uint64(raw.allocations), Context: int(raw.context), Threads: int(raw.threads)}, nil
}

// Close frees the session.  A generation in progress is cancelled, and frees it when it ends.
func (s *Session) Close() error {
	s.handle.Close()
	return nil
}

// Cache holds models by path: opened at first use, closed when the bytes of all exceed the limit, least recently used first.
type Cache struct{ handle *native.Handle }

// NewCache makes a cache; maxBytes of weights, 0 = no limit; options are every model's and may be nil.
func NewCache(maxBytes uint64, options *Options) (*Cache, error) {
	var raw *C.leat_lm_cache
	var failed C.leat_error
	wanted := options.raw()
	if err := failure(C.leat_lm_cache_open(C.uint64_t(maxBytes), &wanted, &raw, &failed), &failed); err != nil {
		return nil, err
	}
	c := &Cache{native.NewHandle(unsafe.Pointer(raw), "cache", func(p unsafe.Pointer) { C.leat_lm_cache_close((*C.leat_lm_cache)(p)) }, nil)}
	runtime.SetFinalizer(c, func(c *Cache) { c.handle.Finalise() })
	return c, nil
}

// Get is the model of a file, opened if need be; closing it leaves the cache's alone.
func (c *Cache) Get(path string) (*Model, error) {
	name, err := cString(path, "a path")
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(name))
	p, err := c.handle.Enter()
	if err != nil {
		return nil, err
	}
	defer c.handle.Leave()
	var raw *C.leat_lm
	var failed C.leat_error
	if err := failure(C.leat_lm_cache_get((*C.leat_lm_cache)(p), name, &raw, &failed), &failed); err != nil {
		return nil, err
	}
	return newModel(raw, nil), nil
}

// CacheStats is what a cache holds and did.
type CacheStats struct {
	Models, Hits, Misses, Evictions int64
	Bytes, MaxBytes                 uint64
}

// Stats tells what the cache holds and did.
func (c *Cache) Stats() (CacheStats, error) {
	p, err := c.handle.Enter()
	if err != nil {
		return CacheStats{}, err
	}
	defer c.handle.Leave()
	var raw C.leat_lm_cache_stats
	C.leat_lm_cache_get_stats((*C.leat_lm_cache)(p), &raw)
	return CacheStats{Models: int64(raw.models), Hits: int64(raw.hits), Misses: int64(raw.misses), Evictions: int64(raw.evictions), Bytes: uint64(raw.bytes),
		MaxBytes: uint64(raw.max_bytes)}, nil
}

// Close drops the cache's models; those in use live on.
func (c *Cache) Close() error {
	c.handle.Close()
	return nil
}
