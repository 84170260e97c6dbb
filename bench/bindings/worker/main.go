// worker is call_cost.c in Go, by the binding: the same lines in, the same lines out; and "stream", which reads a channel.
package main

/*
#cgo pkg-config: leat
#include <leat/leat.h>
#include <stdint.h>

int workerHeard(uintptr_t user);

static inline int call_back(long count, uintptr_t user) {
    int sum = 0;
    for (long i = 0; i < count; i++) sum += workerHeard(user);
    return sum;
}
*/
import "C"

import (
	"bufio"
	"fmt"
	"os"
	"runtime/cgo"
	"strconv"
	"strings"
	"time"

	"leat/lm"
)

const promptTokens = 16

type worker struct {
	model   *lm.Model
	session *lm.Session
	want    int
	prompt  []int32
	calls   int
}

func sum(tokens []int32) (s int64) {
	for i, token := range tokens {
		s += int64(token) * int64(i+1)
	}
	return s
}

func (w *worker) request() lm.Request {
	return lm.Request{Tokens: w.prompt, MaxTokens: w.want, Sampling: lm.Greedy(), IgnoreEOS: true}
}

func (w *worker) once(heard func(lm.Piece) bool) (int64, error) {
	request := w.request()
	request.OnToken = heard
	w.calls = 1
	result, err := w.session.Generate(nil, request)
	if err != nil {
		return 0, err
	}
	return sum(result.Tokens), nil
}

func (w *worker) stream() (int64, error) {
	w.calls = 1
	stream := w.session.GenerateStream(nil, w.request())
	for range stream.Pieces {
		w.calls++
	}
	result, err := stream.Result()
	if err != nil {
		return 0, err
	}
	return sum(result.Tokens), nil
}

// eachToken crosses for each step, as a binding of low-level calls would.
func (w *worker) eachToken() (int64, error) {
	tokens := append(make([]int32, 0, promptTokens+w.want), w.prompt...)
	w.calls = 1
	err := w.session.Sync(tokens)
	for n := 0; n < w.want && err == nil; n++ {
		var logits []float32
		if logits, err = w.session.LogitsView(); err != nil {
			return 0, err
		}
		best := 0
		for i := range logits {
			if logits[i] > logits[best] {
				best = i
			}
		}
		tokens = append(tokens, int32(best))
		if _, err = w.model.Detokenize(tokens[len(tokens)-1:], false); err != nil {
			return 0, err
		}
		w.calls += 3
		if n+1 < w.want {
			err = w.session.Sync(tokens)
		}
	}
	w.calls--
	return sum(tokens[promptTokens:]), err
}

func (w *worker) measured(what string) error {
	if err := w.session.Sync(nil); err != nil {
		return err
	}
	var check int64
	var err error
	start := time.Now()
	switch what {
	case "once":
		check, err = w.once(nil)
	case "callback":
		var heard int
		check, err = w.once(func(lm.Piece) bool { heard++; return true })
		w.calls += heard
	case "stream":
		check, err = w.stream()
	case "tokens":
		check, err = w.eachToken()
	default:
		err = fmt.Errorf("what is %q?", what)
	}
	if err == nil {
		fmt.Println(time.Since(start).Nanoseconds(), w.calls, check)
	}
	return err
}

type listener struct{ heard int }

//export workerHeard
func workerHeard(user C.uintptr_t) C.int {
	cgo.Handle(user).Value().(*listener).heard++
	return 0
}

func cross(count int, back bool) {
	start := time.Now()
	if back {
		handle := cgo.NewHandle(&listener{})
		C.call_back(C.long(count), C.uintptr_t(handle))
		handle.Delete()
	} else {
		for i := 0; i < count; i++ {
			C.leat_utf8_complete(nil, 0)
		}
	}
	fmt.Printf("%.3f\n", float64(time.Since(start).Nanoseconds())/float64(count))
}

func memory() error {
	text, err := os.ReadFile("/proc/self/status")
	var peak, anonymous string
	for _, line := range strings.Split(string(text), "\n") {
		if fields := strings.Fields(line); len(fields) > 1 {
			switch fields[0] {
			case "VmHWM:":
				peak = fields[1]
			case "RssAnon:":
				anonymous = fields[1]
			}
		}
	}
	fmt.Println(peak, anonymous)
	return err
}

func serve(path, threads, tokens string) error {
	w := &worker{}
	pool, err := strconv.Atoi(threads)
	if err == nil {
		w.want, err = strconv.Atoi(tokens)
	}
	if err == nil {
		w.model, err = lm.Open(path, &lm.Options{Threads: pool})
	}
	if err != nil {
		return err
	}
	defer w.model.Close()
	if w.session, err = w.model.NewSession(&lm.SessionOptions{Context: 1024}); err != nil {
		return err
	}
	defer w.session.Close()
	for i := 0; i < promptTokens; i++ {
		w.prompt = append(w.prompt, int32(100+7*i))
	}
	lines := bufio.NewScanner(os.Stdin)
	for err == nil && lines.Scan() {
		fields := append(strings.Fields(lines.Text()), "1")
		count, _ := strconv.Atoi(fields[1])
		switch fields[0] {
		case "memory":
			err = memory()
		case "cross", "back":
			cross(count, fields[0] == "back")
		default:
			err = w.measured(fields[0])
		}
	}
	return err
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: worker MODEL THREADS TOKENS")
		os.Exit(2)
	}
	if err := serve(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
}
