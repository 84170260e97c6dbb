// Package lm runs language models, GGUF files, by libleat.
//
//	model, err := lm.Open("model.gguf", nil)
//	session, err := model.NewSession(nil)
//	result, err := session.Generate(ctx, lm.Request{Prompt: "Once upon a time", MaxTokens: 100})
//
//	stream := session.GenerateStream(ctx, lm.Request{Prompt: "Once upon a time"})
//	for piece := range stream.Pieces {
//		fmt.Print(piece.Text)
//	}
//	result, err = stream.Result()
//
// A generation is one call into the library, however many tokens it makes.  Objects are freed by Close, or by the garbage collector.  A Model is read-only and
// may be shared; a Session is one conversation: a second call while one is inside fails with leat.EState, but Cancel and Close may come from any goroutine,
// and from callbacks, at any time.
package lm

/*
#cgo pkg-config: leat
#include <leat/generate.h>
#include <stdlib.h>
*/
import "C"

import (
	"runtime"
	"strings"
	"unsafe"

	"leat"
	"leat/internal/native"
)

// Options are how a model is opened; the zero value is the default.
type Options struct {
	Threads  int  // of the model's own pool, 0 = all usable CPUs
	Prefetch bool // read the weights ahead while opening, instead of at first use
	Lock     bool // keep the weights in memory (mlock)
	Copy     bool // read the weights into memory of this process, in huge pages, instead of mapping the file
}

func (o *Options) raw() C.leat_lm_options {
	var raw C.leat_lm_options
	C.leat_lm_options_default(&raw)
	if o == nil {
		return raw
	}
	raw.threads = C.int(native.Int32(o.Threads))
	if o.Prefetch {
		raw.flags |= C.LEAT_LM_PREFETCH
	}
	if o.Lock {
		raw.flags |= C.LEAT_LM_LOCK
	}
	if o.Copy {
		raw.flags |= C.LEAT_LM_COPY
	}
	return raw
}

// Model is a language model: read-only, shared by sessions and goroutines.
type Model struct {
	handle *native.Handle
	memory *native.Memory // that it was opened from, or nil
}

// newModel takes over a model and the memory that it reads.
func newModel(raw *C.leat_lm, memory *native.Memory) *Model {
	m := &Model{memory: memory, handle: native.NewHandle(unsafe.Pointer(raw), "model", func(p unsafe.Pointer) {
		C.leat_lm_unref((*C.leat_lm)(p))
		memory.Drop()
	}, nil)}
	runtime.SetFinalizer(m, func(m *Model) { m.handle.Finalise() })
	return m
}

// Open opens a GGUF file; options may be nil.
func Open(path string, options *Options) (*Model, error) {
	name, err := cString(path, "a path")
	if err != nil {
		return nil, err
	}
	defer C.free(unsafe.Pointer(name))
	var raw *C.leat_lm
	var failed C.leat_error
	wanted := options.raw()
	if err := failure(C.leat_lm_open(name, &wanted, &raw, &failed), &failed); err != nil {
		return nil, err
	}
	return newModel(raw, nil), nil
}

// OpenMemory opens a model from the bytes of a GGUF file; options may be nil.  They are copied into memory of C's, once, which is freed with the model and the last of
// its sessions: data is the caller's again when OpenMemory returns.  A file is better opened by Open, which copies nothing and shares its pages with other processes.
func OpenMemory(data []byte, options *Options) (*Model, error) {
	memory := native.CopyMemory(data)
	if memory == nil {
		return nil, native.Fail(leat.ENoMem, "no memory for a model of %d bytes", len(data))
	}
	var raw *C.leat_lm
	var failed C.leat_error
	wanted := options.raw()
	if err := failure(C.leat_lm_open_memory(memory.Pointer(), C.size_t(memory.Len()), &wanted, &raw, &failed), &failed); err != nil {
		memory.Drop()
		return nil, err
	}
	return newModel(raw, memory), nil
}

// Info is what a model is.
type Info struct {
	Architecture, Name, FileType                                             string
	Encoder                                                                  bool // embeddings only
	Layers, Width, Heads, KVHeads, HeadWidth, FFNWidth, Experts, ExpertsUsed int
	Vocabulary, TrainContext, Window                                         int
	Pooling                                                                  Pooling
	Parameters, WeightBytes, FileBytes, WeightBytesToken, KVBytesToken       uint64
	OpenNs                                                                   int64
}

// Info tells what the model is.
func (m *Model) Info() (Info, error) {
	p, err := m.handle.Enter()
	if err != nil {
		return Info{}, err
	}
	defer m.handle.Leave()
	var raw C.leat_lm_info
	C.leat_lm_get_info((*C.leat_lm)(p), &raw)
	return Info{Architecture: C.GoString(raw.architecture), Name: C.GoString(raw.name), FileType: C.GoString(raw.file_type), Encoder: raw.encoder != 0,
		Layers: int(raw.layers), Width: int(raw.width), Heads: int(raw.heads), KVHeads: int(raw.kv_heads), HeadWidth: int(raw.head_width),
		FFNWidth: int(raw.ffn_width), Experts: int(raw.experts), ExpertsUsed: int(raw.experts_used), Vocabulary: int(raw.vocabulary),
		TrainContext: int(raw.train_context), Window: int(raw.window), Pooling: Pooling(raw.pooling), Parameters: uint64(raw.parameters),
		WeightBytes: uint64(raw.weight_bytes), FileBytes: uint64(raw.file_bytes), WeightBytesToken: uint64(raw.weight_bytes_token),
		KVBytesToken: uint64(raw.kv_bytes_token), OpenNs: int64(raw.open_ns)}, nil
}

// TokenizerInfo is what a vocabulary is; an id of -1: it has none.
type TokenizerInfo struct {
	Kind, Pre                      string
	Tokens                         int
	BOS, EOS, EOT, UNK, SEP, PAD   int32
	AddBOS, AddEOS, AddSpacePrefix bool
}

// Tokenizer tells what the vocabulary is.
func (m *Model) Tokenizer() (TokenizerInfo, error) {
	p, err := m.handle.Enter()
	if err != nil {
		return TokenizerInfo{}, err
	}
	defer m.handle.Leave()
	var raw C.leat_tokenizer_info
	C.leat_tokenizer_get_info(C.leat_lm_tokenizer((*C.leat_lm)(p)), &raw)
	return TokenizerInfo{Kind: C.GoString(raw.kind), Pre: C.GoString(&raw.pre[0]), Tokens: int(raw.tokens), BOS: int32(raw.bos), EOS: int32(raw.eos),
		EOT: int32(raw.eot), UNK: int32(raw.unk), SEP: int32(raw.sep), PAD: int32(raw.pad), AddBOS: raw.add_bos != 0, AddEOS: raw.add_eos != 0,
		AddSpacePrefix: raw.add_space_prefix != 0}, nil
}

// TokenizeFlags say how a text becomes tokens.
type TokenizeFlags uint32

// The flags of Tokenize.
const (
	Specials TokenizeFlags = C.LEAT_TOKENIZE_SPECIALS // put BOS and EOS around the text as the file says
	Parse    TokenizeFlags = C.LEAT_TOKENIZE_PARSE    // control tokens written out in the text become their ids
)

// Tokenize gives the ids of a text.
func (m *Model) Tokenize(text string, flags TokenizeFlags) ([]int32, error) {
	p, err := m.handle.Enter()
	if err != nil {
		return nil, err
	}
	defer m.handle.Leave()
	return tokenize(C.leat_lm_tokenizer((*C.leat_lm)(p)), text, flags)
}

func tokenize(tokenizer *C.leat_tokenizer, text string, flags TokenizeFlags) ([]int32, error) {
	raw := append([]byte(text), 0)
	for room := len(text)/2 + 16; ; {
		tokens := make([]int32, room)
		var count C.int64_t
		status := C.leat_tokenizer_encode(tokenizer, (*C.char)(unsafe.Pointer(&raw[0])), C.size_t(len(text)), C.uint32_t(flags),
			(*C.int32_t)(unsafe.Pointer(&tokens[0])), C.int64_t(room), &count)
		if status != C.LEAT_ELIMIT || int(count) <= room {
			return tokens[:count], failure(status, nil)
		}
		room = int(count)
	}
}

// Detokenize gives the text of tokens, which need not end with a whole character; specials: write control tokens out.
func (m *Model) Detokenize(tokens []int32, specials bool) (string, error) {
	p, err := m.handle.Enter()
	if err != nil {
		return "", err
	}
	defer m.handle.Leave()
	tokenizer := C.leat_lm_tokenizer((*C.leat_lm)(p))
	padded := append(tokens[:len(tokens):len(tokens)], 0)
	flags := C.uint32_t(0)
	if specials {
		flags = C.LEAT_DETOKENIZE_SPECIALS
	}
	for room := 16*len(tokens) + 64; ; {
		text := make([]byte, room)
		var size C.size_t
		status := C.leat_tokenizer_decode(tokenizer, (*C.int32_t)(unsafe.Pointer(&padded[0])), C.int64_t(len(tokens)), flags,
			(*C.char)(unsafe.Pointer(&text[0])), C.size_t(room), &size)
		if status == C.LEAT_EINVAL {
			return "", strange(tokenizer, tokens)
		}
		if status != C.LEAT_ELIMIT || int(size) <= room {
			if err := failure(status, nil); err != nil {
				return "", err
			}
			return string(text[:size]), nil
		}
		room = int(size)
	}
}

// strange names the token that the vocabulary does not have.
func strange(tokenizer *C.leat_tokenizer, tokens []int32) error {
	for i, token := range tokens {
		if C.leat_tokenizer_type(tokenizer, C.int32_t(token)) == 0 {
			return native.Fail(leat.EInval, "token %d is %d, which the vocabulary does not have", i, token)
		}
	}
	return native.Fail(leat.EInval, "the tokens have no text")
}

// Token is the id of the token that is spelled so in the vocabulary, or -1.
func (m *Model) Token(piece string) (int32, error) {
	p, err := m.handle.Enter()
	if err != nil {
		return -1, err
	}
	defer m.handle.Leave()
	raw := append([]byte(piece), 0)
	return int32(C.leat_tokenizer_find(C.leat_lm_tokenizer((*C.leat_lm)(p)), (*C.char)(unsafe.Pointer(&raw[0])), C.size_t(len(piece)))), nil
}

// Close drops the model; its sessions live on.
func (m *Model) Close() error {
	m.handle.Close()
	return nil
}

// failure turns a status and what the library wrote about it into an error; nil for LEAT_OK.
func failure(status C.int, raw *C.leat_error) error {
	if status == C.LEAT_OK {
		return nil
	}
	err := &leat.Error{Status: leat.Status(status)}
	if raw != nil {
		err.Message, err.Offset = C.GoString(&raw.message[0]), uint64(raw.offset)
	}
	return err
}

// cString is a C string that the caller frees.
func cString(text, what string) (*C.char, error) {
	if strings.IndexByte(text, 0) >= 0 {
		return nil, native.Fail(leat.EInval, "%s may not contain NUL", what)
	}
	return C.CString(text), nil
}
