package lm

/*
#include <leat/generate.h>
#include <stdint.h>
#include <stdlib.h>

int leatgoToken(uintptr_t user, leat_lm_piece *piece);

static inline int on_token(void *user, const leat_lm_piece *piece) { return leatgoToken((uintptr_t)user, (leat_lm_piece *)piece); }

// A handle of Go's is a number: it becomes a pointer here, where no collector looks at it.
static inline int generate(leat_lm_session *session, const leat_lm_request *request, leat_lm_result *result, uintptr_t user, leat_error *error) {
    return leat_lm_generate(session, request, result, user ? on_token : NULL, (void *)user, error);
}
static inline int generate_batch(leat_lm_session *const *sessions, int32_t n, const leat_lm_request *requests, leat_lm_result *results, int64_t count,
                          void *const *users, int *statuses, leat_error *error) {
    return leat_lm_generate_batch(sessions, n, requests, results, count, users ? on_token : NULL, users, statuses, error);
}
*/
import "C"

import (
	"context"
	"math"
	"runtime"
	"runtime/cgo"
	"unsafe"

	"leat"
	"leat/internal/native"
)

// Sampling is how tokens are chosen.  A nil field is the library's default, named in leat/generate.h; Float and Int make one.
type Sampling struct {
	Temperature                                      *float32 // 0 = greedy
	TopK                                             *int32
	TopP, MinP, TypicalP                             *float32
	RepeatPenalty, PresencePenalty, FrequencyPenalty *float32
	PenaltyLast                                      *int32
	Mirostat                                         *int32
	MirostatTau, MirostatEta                         *float32
	Seed                                             uint64            // 0 = random; the one that was used is in the Result
	LogitBias                                        map[int32]float32 // added to the logits of tokens; negative infinity forbids one
}

// Float makes an optional field.
func Float(value float32) *float32 { return &value }

// Int makes an optional field.
func Int(value int32) *int32 { return &value }

// Greedy takes the most probable token each time.
func Greedy() Sampling { return Sampling{Temperature: Float(0)} }

// Request is what to continue, and how; the zero value of a field is its default.
type Request struct {
	Prompt       string
	Tokens       []int32 // in place of Prompt: used as they are, BOS is not added
	MaxTokens    int     // 0 = 128, -1 = as many as the context holds
	Sampling     Sampling
	Stop         []string // strings that end the text
	Grammar      string   // GBNF
	JSONSchema   string   // in place of a grammar
	NoBOS        bool     // do not put BOS in front, whatever the file says
	Parse        bool     // control tokens written out in the prompt become their ids
	IgnoreEOS    bool
	Append       bool // the prompt continues what the session holds
	Specials     bool // control tokens appear in the text
	LogProbs     bool // fill Result.LogProbs
	NTop         int  // alternatives reported with each token, 0..64
	PromptLogits bool // fill Result.PromptLogits; evaluates the whole prompt anew
	// OnToken is called with each piece in the generating goroutine's call; false ends the generation.  It may call Cancel and Close, and nothing else of the
	// session.  A panic ends the generation and goes on in the caller of Generate.
	OnToken func(Piece) bool
}

// TokenProb is a token and the natural logarithm of its probability in the model's own distribution.
type TokenProb struct {
	Token   int32
	LogProb float32
}

// Piece is a made token.  Text: what can be shown now, whole characters, never a part of a stop string.  Token -1: only text that was held back, at the end.
type Piece struct {
	Index   int
	Token   int32
	Text    string
	LogProb float32
	Top     []TokenProb
}

// Result is what a generation made.
type Result struct {
	Text                                      string
	Tokens                                    []int32
	LogProbs                                  []float32     // of each token, if wanted
	Top                                       [][]TokenProb // of each token, if wanted
	PromptLogits                              []float32     // [prompt tokens, vocabulary], if wanted
	Finish                                    string        // "eos", "stop", "length", "context", "grammar", "callback", "cancelled"
	Seed                                      uint64
	PromptTokens, CachedTokens                int // of the prompt; of these, found in the session
	PromptNs, FirstTokenNs, DecodeNs, TotalNs int64
}

const (
	textPerToken  = 256 // bytes kept for each token on average; untouched memory costs nothing
	waitingPieces = 4096
	maxAllocation = 1 << 40
)

// call is a request and its result in C's memory: the library keeps their addresses while callbacks run, so nothing of Go's may be in them.
type call struct {
	request    *C.leat_lm_request
	result     *C.leat_lm_result
	kept       []unsafe.Pointer
	room, nTop int
	prompt     int
	vocabulary int
}

func (c *call) alloc(bytes int) unsafe.Pointer {
	p := C.malloc(C.size_t(bytes + 1)) // cgo's malloc does not return nil
	c.kept = append(c.kept, p)
	return p
}

func (c *call) free() {
	for _, p := range c.kept {
		C.free(p)
	}
}

func (c *call) text(text, what string) (*C.char, error) {
	copied, err := cString(text, what)
	if err == nil {
		c.kept = append(c.kept, unsafe.Pointer(copied))
	}
	return copied, err
}

func (s *Session) newCall(p *C.leat_lm_session, request *Request) (*call, error) {
	c := &call{vocabulary: s.vocabulary}
	c.request = (*C.leat_lm_request)(c.alloc(C.sizeof_leat_lm_request))
	c.result = (*C.leat_lm_result)(c.alloc(C.sizeof_leat_lm_result))
	C.leat_lm_request_default(c.request)
	C.leat_lm_result_init(c.result)
	err := c.setPrompt(p, request)
	if err == nil {
		err = c.setLimits(request)
	}
	if err == nil {
		c.setSampling(&request.Sampling)
		err = c.place(request, s.context)
	}
	if err != nil {
		c.free()
		return nil, err
	}
	return c, nil
}

func (c *call) setPrompt(p *C.leat_lm_session, request *Request) error {
	tokens := request.Tokens
	if request.PromptLogits && tokens == nil { // the number of tokens must be known
		flags := TokenizeFlags(0)
		if !request.NoBOS {
			flags |= Specials
		}
		if request.Parse {
			flags |= Parse
		}
		var err error
		if tokens, err = tokenize(C.leat_lm_tokenizer(C.leat_lm_session_model(p)), request.Prompt, flags); err != nil {
			return err
		}
	}
	if tokens == nil {
		prompt := c.alloc(len(request.Prompt))
		copy(unsafe.Slice((*byte)(prompt), len(request.Prompt)+1), request.Prompt)
		c.request.prompt, c.request.prompt_bytes = (*C.char)(prompt), C.size_t(len(request.Prompt))
		return nil
	}
	ids := c.alloc(4 * len(tokens))
	copy(unsafe.Slice((*int32)(ids), len(tokens)+1), tokens)
	c.request.tokens, c.request.n_tokens = (*C.int32_t)(ids), C.int64_t(len(tokens))
	c.prompt = len(tokens)
	return nil
}

func (c *call) setLimits(request *Request) error {
	r := c.request
	for _, flag := range []struct {
		set bool
		bit C.uint32_t
	}{{request.NoBOS, C.LEAT_GENERATE_NO_BOS}, {request.Parse, C.LEAT_GENERATE_PARSE}, {request.IgnoreEOS, C.LEAT_GENERATE_IGNORE_EOS},
		{request.Append, C.LEAT_GENERATE_APPEND}, {request.Specials, C.LEAT_GENERATE_SPECIALS}} {
		if flag.set {
			r.flags |= flag.bit
		}
	}
	if request.MaxTokens != 0 {
		r.max_tokens = C.int64_t(request.MaxTokens)
	}
	var err error
	if len(request.Stop) > 0 {
		table := unsafe.Slice((**C.char)(c.alloc(len(request.Stop)*int(unsafe.Sizeof(r.grammar)))), len(request.Stop))
		for i, text := range request.Stop {
			if table[i], err = c.text(text, "a stop string"); err != nil {
				return err
			}
		}
		r.stop, r.n_stop = &table[0], C.int32_t(len(request.Stop))
	}
	if request.Grammar != "" {
		if r.grammar, err = c.text(request.Grammar, "a grammar"); err != nil {
			return err
		}
	}
	if request.JSONSchema != "" {
		r.json_schema, err = c.text(request.JSONSchema, "a schema")
	}
	return err
}

func (c *call) setSampling(wanted *Sampling) {
	s := &c.request.sampling
	floats := map[*C.float]*float32{&s.temperature: wanted.Temperature, &s.top_p: wanted.TopP, &s.min_p: wanted.MinP, &s.typical_p: wanted.TypicalP,
		&s.repeat_penalty: wanted.RepeatPenalty, &s.presence_penalty: wanted.PresencePenalty, &s.frequency_penalty: wanted.FrequencyPenalty,
		&s.mirostat_tau: wanted.MirostatTau, &s.mirostat_eta: wanted.MirostatEta}
	for field, value := range floats {
		if value != nil {
			*field = C.float(*value)
		}
	}
	ints := map[*C.int32_t]*int32{&s.top_k: wanted.TopK, &s.penalty_last: wanted.PenaltyLast, &s.mirostat: wanted.Mirostat}
	for field, value := range ints {
		if value != nil {
			*field = C.int32_t(*value)
		}
	}
	s.seed = C.uint64_t(wanted.Seed)
	if n := len(wanted.LogitBias); n > 0 {
		table := unsafe.Slice((*C.leat_logit_bias)(c.alloc(n*C.sizeof_leat_logit_bias)), n)
		i := 0
		for token, bias := range wanted.LogitBias {
			table[i] = C.leat_logit_bias{token: C.int32_t(token), bias: C.float(bias)}
			i++
		}
		s.bias, s.n_bias = &table[0], C.int64_t(n)
	}
}

// place gives the result its arrays.
func (c *call) place(request *Request, context int) error {
	c.room, c.nTop = int(c.request.max_tokens), request.NTop
	if c.room < 0 || c.room > context {
		c.room = context
	}
	if request.NTop < 0 || request.NTop > 64 {
		return native.Fail(leat.EInval, "NTop is %d, not 0..64", request.NTop)
	}
	r := c.result
	r.tokens, r.token_capacity = (*C.int32_t)(c.alloc(4*c.room)), C.int64_t(c.room)
	r.text, r.text_capacity = (*C.char)(c.alloc(textPerToken*c.room)), C.size_t(textPerToken*c.room+1)
	c.request.n_top = C.int32_t(request.NTop)
	if request.LogProbs {
		r.probs = (*C.leat_token_prob)(c.alloc(c.room * C.sizeof_leat_token_prob))
	}
	if request.NTop > 0 {
		r.top = (*C.leat_token_prob)(c.alloc(c.room * request.NTop * C.sizeof_leat_token_prob))
	}
	if request.PromptLogits {
		if c.prompt > math.MaxInt32 || c.prompt*c.vocabulary > maxAllocation/4 {
			return native.Fail(leat.ELimit, "the logits of %d tokens do not fit", c.prompt)
		}
		r.prompt_logits, r.logits_capacity = (*C.float)(c.alloc(4*c.prompt*c.vocabulary)), C.int64_t(c.prompt*c.vocabulary)
	}
	return nil
}

func probs(raw []C.leat_token_prob) []TokenProb {
	found := make([]TokenProb, len(raw))
	for i, p := range raw {
		found[i] = TokenProb{int32(p.token), float32(p.logprob)}
	}
	return found
}

// made copies the result into Go's memory.
func (c *call) made() *Result {
	r := c.result
	n := int(r.n_tokens)
	if n > c.room {
		n = c.room
	}
	size := int(r.text_bytes)
	if size > textPerToken*c.room {
		size = textPerToken * c.room
	}
	result := &Result{Text: C.GoStringN(r.text, C.int(size)), Tokens: make([]int32, n), Finish: C.GoString(C.leat_finish_name(r.finish)), Seed: uint64(r.seed),
		PromptTokens: int(r.prompt_tokens), CachedTokens: int(r.cached_tokens), PromptNs: int64(r.prompt_ns), FirstTokenNs: int64(r.first_token_ns),
		DecodeNs: int64(r.decode_ns), TotalNs: int64(r.total_ns)}
	copy(result.Tokens, unsafe.Slice((*int32)(unsafe.Pointer(r.tokens)), n+1))
	if r.probs != nil {
		for _, p := range unsafe.Slice(r.probs, n) {
			result.LogProbs = append(result.LogProbs, float32(p.logprob))
		}
	}
	if r.top != nil {
		all := unsafe.Slice(r.top, n*c.nTop)
		for i := 0; i < n; i++ {
			result.Top = append(result.Top, probs(all[i*c.nTop:(i+1)*c.nTop]))
		}
	}
	if r.prompt_logits != nil {
		result.PromptLogits = append(result.PromptLogits, unsafe.Slice((*float32)(unsafe.Pointer(r.prompt_logits)), c.prompt*c.vocabulary)...)
	}
	return result
}

// watcher is what a callback finds by its handle.
type watcher struct {
	index    int
	onToken  func(int, Piece) bool
	stopped  func() bool
	panicked interface{} // what the callback panicked with: raised again in the caller
}

//export leatgoToken
func leatgoToken(user C.uintptr_t, raw *C.leat_lm_piece) (stop C.int) {
	w := cgo.Handle(user).Value().(*watcher)
	if w.panicked != nil || w.stopped() {
		return 1
	}
	stop = 1 // unless the callback returns
	defer func() {
		if p := recover(); p != nil {
			w.panicked = p
		}
	}()
	piece := Piece{Index: int(raw.index), Token: int32(raw.token), Text: C.GoStringN(raw.text, C.int(raw.bytes)), LogProb: float32(raw.logprob)}
	if raw.n_top > 0 && raw.top != nil {
		piece.Top = probs(unsafe.Slice(raw.top, int(raw.n_top)))
	}
	if w.onToken(w.index, piece) {
		return 0
	}
	return 1
}

// Generate generates, in one call of the library.  When ctx ends first, it returns leat.ECancelled, which is also context.Canceled.  The Result is what was made,
// also where there is an error, unless the call could not begin (nil).
func (s *Session) Generate(ctx context.Context, request Request) (*Result, error) {
	p, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer s.handle.LeaveAlone()
	return s.generate(ctx, p, request)
}

// generate is Generate in a session that was entered.
func (s *Session) generate(ctx context.Context, p *C.leat_lm_session, request Request) (*Result, error) {
	if ctx != nil && ctx.Err() != nil {
		return nil, native.Fail(leat.ECancelled, "cancelled before it began")
	}
	c, err := s.newCall(p, &request)
	if err != nil {
		return nil, err
	}
	defer c.free()
	w := &watcher{stopped: s.handle.Closed}
	user := C.uintptr_t(0)
	if request.OnToken != nil {
		w.onToken = func(_ int, piece Piece) bool { return request.OnToken(piece) }
		handle := cgo.NewHandle(w)
		defer handle.Delete()
		user = C.uintptr_t(handle)
	}
	failed := (*C.leat_error)(c.alloc(C.sizeof_leat_error))
	*failed = C.leat_error{}
	stop := native.Watch(ctx, func() { C.leat_lm_cancel(p) })
	status := C.generate(p, c.request, c.result, user, failed)
	stop()
	runtime.KeepAlive(s)
	if w.panicked != nil {
		panic(w.panicked)
	}
	return c.made(), failure(status, failed)
}

// Stream is a generation that runs in a goroutine of its own.
type Stream struct {
	// Pieces has the tokens as they are made, and is closed at the end.  It has room for a whole generation of up to 4096 pieces, so a reader that is slow or gone
	// holds nothing up; beyond, the generation waits for the reader, for ctx or for the session's Close.
	Pieces <-chan Piece
	done   chan struct{}
	result *Result
	err    error
}

// Result waits for the end of the generation.
func (s *Stream) Result() (*Result, error) {
	<-s.done
	return s.result, s.err
}

// GenerateStream starts a generation in a goroutine and gives its tokens over a channel.  End ctx, or call Cancel, to stop it.  The session is taken when GenerateStream
// returns: another call is refused from then on until the stream has ended.  request.OnToken may be set too.
func (s *Session) GenerateStream(ctx context.Context, request Request) *Stream {
	if ctx == nil {
		ctx = context.Background()
	}
	p, refused := s.enter()
	ctx, end := context.WithCancel(ctx)
	room := request.MaxTokens
	if room == 0 {
		room = 128
	}
	if room < 0 || room > s.context {
		room = s.context
	}
	if room > waitingPieces {
		room = waitingPieces
	}
	pieces := make(chan Piece, room+1) // one more for text that was held back
	stream := &Stream{Pieces: pieces, done: make(chan struct{})}
	told, ended := request.OnToken, false
	request.OnToken = func(piece Piece) bool {
		select {
		case pieces <- piece:
		case <-ctx.Done():
			ended = true
			return false
		case <-s.handle.Gone():
			return false
		}
		return told == nil || told(piece)
	}
	if refused != nil {
		end()
		stream.err = refused
		close(pieces)
		close(stream.done)
		return stream
	}
	s.setEnd(end)
	go func() {
		defer close(stream.done)
		defer close(pieces)
		defer func() {
			s.setEnd(nil)
			end()
			s.handle.LeaveAlone()
		}()
		defer func() {
			if p := recover(); p != nil { // of request.OnToken: there is no caller to go on in
				stream.err = native.Fail(leat.EInternal, "OnToken panicked: %v", p)
			}
		}()
		stream.result, stream.err = s.generate(ctx, p, request)
		if ended && stream.err == nil { // the callback saw it before the library did
			stream.result.Finish, stream.err = C.GoString(C.leat_finish_name(C.LEAT_FINISH_CANCELLED)), native.Fail(leat.ECancelled, "cancelled")
		}
	}()
	return stream
}

func (s *Session) setEnd(end context.CancelFunc) {
	s.mu.Lock()
	s.endStream = end
	s.mu.Unlock()
}

// GenerateBatch generates many requests over some sessions of one model, decoded together: as many at once as there are sessions.  results and errors are
// those of the requests; err is of the call.  OnToken of a request is called with its pieces.
func GenerateBatch(ctx context.Context, sessions []*Session, requests []Request) (results []*Result, errors []error, err error) {
	if len(sessions) == 0 {
		return nil, nil, native.Fail(leat.EInval, "no session to generate in")
	}
	b, err := newBatch(sessions, requests)
	defer b.end()
	if err != nil {
		return nil, nil, err
	}
	if ctx != nil && ctx.Err() != nil {
		return nil, nil, native.Fail(leat.ECancelled, "cancelled before it began")
	}
	stop := native.Watch(ctx, func() {
		for _, p := range b.sessions {
			C.leat_lm_cancel(p)
		}
	})
	status := C.generate_batch(&b.sessions[0], C.int32_t(len(sessions)), b.requests, b.results, C.int64_t(len(requests)), b.users, b.statuses, b.failed)
	stop()
	runtime.KeepAlive(sessions)
	for _, w := range b.watchers {
		if w.panicked != nil {
			panic(w.panicked)
		}
	}
	return b.collect(status)
}

// batch is the arrays of a call for many requests.
type batch struct {
	memory   call
	entered  []*Session
	calls    []*call
	watchers []*watcher
	handles  []cgo.Handle
	sessions []*C.leat_lm_session
	requests *C.leat_lm_request
	results  *C.leat_lm_result
	users    *unsafe.Pointer
	statuses *C.int
	failed   *C.leat_error
}

func newBatch(sessions []*Session, requests []Request) (*batch, error) {
	b, n := &batch{}, len(requests)
	table := (**C.leat_lm_session)(b.memory.alloc(len(sessions) * int(unsafe.Sizeof(uintptr(0)))))
	b.sessions = unsafe.Slice(table, len(sessions))
	for i, s := range sessions {
		p, err := s.enter()
		if err != nil {
			return b, err
		}
		b.entered, b.sessions[i] = append(b.entered, s), p
	}
	b.requests = (*C.leat_lm_request)(b.memory.alloc(n * C.sizeof_leat_lm_request))
	b.results = (*C.leat_lm_result)(b.memory.alloc(n * C.sizeof_leat_lm_result))
	b.statuses = (*C.int)(b.memory.alloc(n * C.sizeof_int))
	b.failed = (*C.leat_error)(b.memory.alloc(C.sizeof_leat_error))
	*b.failed = C.leat_error{}
	stopped := func() bool {
		for _, s := range sessions {
			if s.handle.Closed() {
				return true
			}
		}
		return false
	}
	listened := false
	for i := range requests {
		c, err := sessions[0].newCall(b.sessions[0], &requests[i])
		if err != nil {
			return b, err
		}
		b.calls = append(b.calls, c)
		unsafe.Slice(b.requests, n)[i], unsafe.Slice(b.results, n)[i] = *c.request, *c.result
		listened = listened || requests[i].OnToken != nil
	}
	for i := 0; listened && i < n; i++ {
		b.watch(requests[i].OnToken, i, stopped)
	}
	if b.handles != nil {
		users := unsafe.Slice((*uintptr)(b.memory.alloc(n*int(unsafe.Sizeof(uintptr(0))))), n)
		for i, handle := range b.handles {
			users[i] = uintptr(handle)
		}
		b.users = (*unsafe.Pointer)(unsafe.Pointer(&users[0]))
	}
	return b, nil
}

func (b *batch) watch(onToken func(Piece) bool, index int, stopped func() bool) {
	w := &watcher{index: index, stopped: stopped, onToken: func(_ int, piece Piece) bool { return onToken == nil || onToken(piece) }}
	b.watchers = append(b.watchers, w)
	b.handles = append(b.handles, cgo.NewHandle(w))
}

func (b *batch) collect(status C.int) (results []*Result, errors []error, err error) {
	n, fine := len(b.calls), true
	for i, c := range b.calls {
		*c.result = unsafe.Slice(b.results, n)[i]
		state := unsafe.Slice(b.statuses, n)[i]
		var told *C.leat_error
		if state == b.failed.status {
			told = b.failed
		}
		results, errors = append(results, c.made()), append(errors, failure(state, told))
		fine = fine && state == C.LEAT_OK
	}
	if fine {
		return results, errors, failure(status, b.failed)
	}
	return results, errors, nil
}

func (b *batch) end() {
	for _, handle := range b.handles {
		handle.Delete()
	}
	for _, c := range b.calls {
		c.free()
	}
	for _, s := range b.entered {
		s.handle.LeaveAlone()
	}
	b.memory.free()
}
