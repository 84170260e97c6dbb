package lm

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"leat"
)

const prompt = "Once upon a time"

// modelPath is LEAT_TEST_LM, the shared stories260K, or the bundled model.
func modelPath(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("LEAT_TEST_LM"); path != "" {
		return path
	}
	shared := os.Getenv("LEAT_SHARED")
	if shared == "" {
		shared = "../../../../shared"
	}
	if path := filepath.Join(shared, "models/llm/stories260K.gguf"); exists(path) {
		return path
	}
	if found, _ := filepath.Glob("../../../models/*.gguf"); len(found) > 0 {
		return found[0]
	}
	t.Skip("no language model")
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func open(t testing.TB) (*Model, *Session) {
	t.Helper()
	model, err := Open(modelPath(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	session, err := model.NewSession(&SessionOptions{Context: 512})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close(); model.Close() })
	return model, session
}

func greedy(n int) Request { return Request{Prompt: prompt, MaxTokens: n, Sampling: Greedy()} }

func forever() Request {
	return Request{Prompt: prompt, MaxTokens: 480, Sampling: Greedy(), IgnoreEOS: true}
}

func must(t testing.TB, s *Session, request Request) *Result {
	t.Helper()
	result, err := s.Generate(context.Background(), request)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func same(t testing.TB, got, want []int32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%v, expected %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%v, expected %v", got, want)
		}
	}
}

func TestSameAsLeatGenerate(t *testing.T) {
	_, session := open(t)
	build := os.Getenv("LEAT_BUILD")
	if build == "" {
		build = "../../../build"
	}
	out, err := exec.Command(filepath.Join(build, "leat"), "generate", "-m", modelPath(t), "-p", prompt, "-n", "40", "--temp", "0", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var expected struct {
		Tokens []int32
		Text   string
	}
	if err := json.Unmarshal(out, &expected); err != nil {
		t.Fatal(err)
	}
	result := must(t, session, greedy(40))
	same(t, result.Tokens, expected.Tokens)
	if result.Text != expected.Text || result.Finish != "length" || len(result.Tokens) != 40 {
		t.Fatalf("%+v", result)
	}
}

func TestResult(t *testing.T) {
	model, session := open(t)
	request := greedy(10)
	request.LogProbs, request.NTop, request.PromptLogits = true, 3, true
	result := must(t, session, request)
	info, err := model.Info()
	if err != nil || len(result.PromptLogits) != result.PromptTokens*info.Vocabulary || len(result.LogProbs) != 10 || len(result.Top) != 10 {
		t.Fatal(err, len(result.PromptLogits), len(result.LogProbs), len(result.Top))
	}
	best := int32(0)
	last := result.PromptLogits[len(result.PromptLogits)-info.Vocabulary:]
	for i := range last {
		if last[i] > last[best] {
			best = int32(i)
		}
	}
	if best != result.Tokens[0] || result.Top[0][0].Token != best || math.Abs(float64(result.Top[0][0].LogProb-result.LogProbs[0])) > 1e-6 {
		t.Fatalf("%+v", result)
	}
	if again := must(t, session, greedy(10)); again.CachedTokens == 0 || again.LogProbs != nil {
		t.Fatalf("%+v", again)
	}
}

func TestOptions(t *testing.T) {
	_, session := open(t)
	random := greedy(20)
	random.Sampling = Sampling{Temperature: Float(1), TopK: Int(0), Seed: 5}
	one := must(t, session, random)
	same(t, must(t, session, random).Tokens, one.Tokens)
	if one.Seed != 5 {
		t.Fatal(one.Seed)
	}
	first := must(t, session, greedy(1)).Tokens[0]
	forbidden := greedy(1)
	forbidden.Sampling.LogitBias = map[int32]float32{first: float32(math.Inf(-1))}
	if must(t, session, forbidden).Tokens[0] == first {
		t.Fatal("a forbidden token was chosen")
	}
	word := strings.Fields(must(t, session, greedy(40)).Text)[5]
	stop := greedy(40)
	stop.Stop = []string{"\x01", word}
	if stopped := must(t, session, stop); stopped.Finish != "stop" || strings.Contains(stopped.Text, word) {
		t.Fatalf("%+v", stopped)
	}
	grammar := greedy(40)
	grammar.Grammar = `root ::= ("a" | "b"){3} " end"`
	if made := must(t, session, grammar); !strings.HasSuffix(made.Text, " end") || len(made.Text) != 7 {
		t.Fatalf("%+v", made)
	}
	for _, wrong := range []struct {
		request Request
		status  leat.Status
	}{{Request{Prompt: prompt, Grammar: "root ::= ("}, leat.EFormat}, {Request{Prompt: prompt, Stop: []string{"a\x00b"}}, leat.EInval},
		{Request{Prompt: prompt, NTop: 65}, leat.EInval}, {Request{Tokens: []int32{1 << 30}}, leat.EInval},
		{Request{Tokens: make([]int32, 10000)}, leat.ELimit}, {Request{Prompt: prompt, Sampling: Sampling{Temperature: Float(-1)}}, leat.EInval}} {
		_, err := session.Generate(context.Background(), wrong.request)
		var failed *leat.Error
		if !errors.Is(err, wrong.status) || !errors.As(err, &failed) || failed.Message == "" {
			t.Errorf("%+v: %v, expected %v", wrong.request, err, wrong.status)
		}
	}
}

func TestTokens(t *testing.T) {
	model, _ := open(t)
	tokens, err := model.Tokenize(prompt, Specials)
	if err != nil || len(tokens) == 0 {
		t.Fatal(tokens, err)
	}
	if text, err := model.Detokenize(tokens, false); err != nil || text != prompt {
		t.Fatal(text, err)
	}
	long, err := model.Tokenize(strings.Repeat("x", 3000), 0)
	if err != nil || len(long) < 100 {
		t.Fatal(len(long), err)
	}
	if _, err := model.Tokenize("", 0); err != nil {
		t.Fatal(err)
	}
	if text, err := model.Detokenize(nil, true); err != nil || text != "" {
		t.Fatal(text, err)
	}
	if _, err := model.Detokenize([]int32{1, 1 << 30}, false); !errors.Is(err, leat.EInval) || !strings.Contains(err.Error(), "token 1 is 1073741824") {
		t.Fatal("a token out of range has a text, or is not named: ", err)
	}
	for _, wrong := range []SessionOptions{{Context: 1 << 32}, {Threads: 1<<32 + 1}, {Batch: -1<<32 + 1}} { // in 32 bits: the default, 1, 1
		if session, err := model.NewSession(&wrong); err == nil {
			session.Close()
			t.Errorf("%+v is taken", wrong)
		}
	}
	if _, err := Open(modelPath(t), &Options{Threads: 1 << 32}); !errors.Is(err, leat.EInval) {
		t.Error("2^32 threads are taken: ", err)
	}
	info, err := model.Tokenizer()
	if err != nil || info.Tokens == 0 || info.Kind == "" {
		t.Fatal(info, err)
	}
}

func TestSyncLogitsEmbed(t *testing.T) {
	model, session := open(t)
	tokens, _ := model.Tokenize(prompt, Specials)
	every, err := session.SyncLogits(tokens)
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Sync(tokens); err != nil {
		t.Fatal(err)
	}
	logits, err := session.LogitsView()
	if err != nil || len(every) != len(tokens)*len(logits) || math.Abs(float64(logits[0]-every[len(every)-len(logits)])) > 1e-3 {
		t.Fatal(err)
	}
	held, err := session.Tokens()
	if err != nil {
		t.Fatal(err)
	}
	same(t, held, tokens)
	if session.Sync(nil) != nil {
		t.Fatal("cannot be emptied")
	}
	if _, err := session.LogitsView(); !errors.Is(err, leat.EState) {
		t.Fatal(err)
	}
	vector, err := session.Embed(prompt, PoolingModel, true)
	norm := 0.0
	for _, x := range vector {
		norm += float64(x) * float64(x)
	}
	if err != nil || math.Abs(norm-1) > 1e-4 {
		t.Fatal(norm, err)
	}
	view, err := session.EmbedTokensView(tokens, PoolingMean, true)
	if err != nil || len(view) != len(vector) {
		t.Fatal(err)
	}
}

func TestChat(t *testing.T) {
	model, _ := open(t)
	text, err := model.ChatPrompt("chatml", Message{"system", "Be short."}, Message{"user", strings.Repeat("Hello ", 500)})
	if err != nil || !strings.HasPrefix(text, "<|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\nHello") ||
		!strings.HasSuffix(text, "<|im_end|>\n<|im_start|>assistant\n") {
		t.Fatal(text, err)
	}
	if _, err := model.ChatPrompt("no such format", Message{"user", "x"}); !errors.Is(err, leat.EInval) {
		t.Fatal(err)
	}
	if name, err := model.ChatFormat(); err == nil && name == "" || err != nil && !errors.Is(err, leat.EUnsupported) {
		t.Fatal(name, err)
	}
}

func TestSaveAndLoad(t *testing.T) {
	model, session := open(t)
	whole := must(t, session, greedy(40))
	must(t, session, greedy(10))
	path := filepath.Join(t.TempDir(), "kept")
	if err := session.Save(path); err != nil {
		t.Fatal(err)
	}
	other, _ := model.NewSession(&SessionOptions{Context: 512})
	defer other.Close()
	if err := other.Load(path); err != nil {
		t.Fatal(err)
	}
	same(t, must(t, other, greedy(40)).Tokens, whole.Tokens)
	if err := other.Load("lm_test.go"); err == nil {
		t.Fatal("loaded a source file")
	}
}

func TestCallbacks(t *testing.T) {
	_, session := open(t)
	var text strings.Builder
	request := greedy(40)
	request.OnToken = func(p Piece) bool { text.WriteString(p.Text); return true }
	result := must(t, session, request)
	if text.String() != result.Text {
		t.Fatalf("%q, expected %q", text.String(), result.Text)
	}
	request.OnToken = func(p Piece) bool { return p.Index < 4 }
	if result := must(t, session, request); len(result.Tokens) != 5 || result.Finish != "callback" {
		t.Fatalf("%+v", result)
	}
	request.OnToken = func(p Piece) bool {
		if _, err := session.Stats(); !errors.Is(err, leat.EState) {
			t.Error(err)
		}
		if p.Index == 3 {
			session.Cancel()
		}
		return true
	}
	if result, err := session.Generate(nil, request); !errors.Is(err, leat.ECancelled) || len(result.Tokens) < 4 || result.Finish != "cancelled" {
		t.Fatalf("%+v %v", result, err)
	}
	request.OnToken = func(p Piece) bool { return session.Close() == nil }
	if _, err := session.Generate(nil, request); err != nil && !errors.Is(err, leat.ECancelled) {
		t.Fatal(err)
	}
	if _, err := session.Generate(nil, greedy(1)); !errors.Is(err, leat.EState) {
		t.Fatal(err)
	}
}

func TestPanicInCallback(t *testing.T) {
	_, session := open(t)
	request := greedy(40)
	request.OnToken = func(p Piece) bool {
		if p.Index == 3 {
			panic("mine")
		}
		return true
	}
	func() {
		defer func() {
			if p := recover(); p != "mine" {
				t.Errorf("recovered %v", p)
			}
		}()
		session.Generate(nil, request)
	}()
	if stream := session.GenerateStream(nil, request); stream != nil {
		if _, err := stream.Result(); !errors.Is(err, leat.EInternal) || !strings.Contains(err.Error(), "mine") {
			t.Error(err)
		}
	}
	if len(must(t, session, greedy(40)).Tokens) != 40 {
		t.Error("the session is not usable")
	}
}

func TestStream(t *testing.T) {
	_, session := open(t)
	want := must(t, session, greedy(40))
	stream := session.GenerateStream(context.Background(), greedy(40))
	var text strings.Builder
	for piece := range stream.Pieces {
		text.WriteString(piece.Text)
	}
	result, err := stream.Result()
	if err != nil || text.String() != want.Text || result.Text != want.Text {
		t.Fatal(err, text.String())
	}
	endless := forever()
	endless.MaxTokens = -1
	if result := must(t, session, endless); result.Finish != "context" || len(result.Tokens) < 500 {
		t.Fatalf("%+v", result)
	}
	gone := session.GenerateStream(nil, forever()) // nobody reads
	if result, err := gone.Result(); err != nil || result.Finish != "length" {
		t.Fatalf("%+v %v", result, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stream = session.GenerateStream(ctx, forever())
	<-stream.Pieces
	cancel()
	if _, err := stream.Result(); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	stream = session.GenerateStream(nil, forever())
	<-stream.Pieces
	session.Close()
	if _, err := stream.Result(); err != nil && !errors.Is(err, leat.ECancelled) {
		t.Fatal(err)
	}
}

func TestCancelAtAnyMoment(t *testing.T) {
	_, session := open(t)
	want := must(t, session, greedy(8))
	cancelled := 0
	for i := 0; i < 60; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*100*time.Microsecond)
		_, err := session.Generate(ctx, forever())
		cancel()
		if err != nil && !errors.Is(err, leat.ECancelled) {
			t.Fatal(err)
		}
		if err != nil {
			cancelled++
		}
		if i%10 == 0 {
			same(t, must(t, session, greedy(8)).Tokens, want.Tokens)
		}
	}
	if cancelled == 0 {
		t.Fatal("nothing was cancelled")
	}
}

func TestCloseDuringGenerate(t *testing.T) {
	model, _ := open(t)
	for i := 0; i < 20; i++ {
		session, err := model.NewSession(&SessionOptions{Context: 512})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			_, err := session.Generate(nil, forever())
			done <- err
		}()
		time.Sleep(time.Duration(i) * 100 * time.Microsecond)
		session.Close()
		if err := <-done; err != nil && !errors.Is(err, leat.ECancelled) && !errors.Is(err, leat.EState) {
			t.Fatal(err)
		}
	}
}

func TestBatch(t *testing.T) {
	model, session := open(t)
	var sessions []*Session
	for i := 0; i < 3; i++ {
		s, err := model.NewSession(&SessionOptions{Context: 256})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		sessions = append(sessions, s)
	}
	var requests []Request
	var want, heard [5]string
	for i, text := range []string{"The dog", "A little girl", "Tom", "One day, a bird", "Lily"} {
		i, request := i, Request{Prompt: text, MaxTokens: 20, Sampling: Greedy()}
		want[i] = must(t, session, request).Text
		request.OnToken = func(p Piece) bool { heard[i] += p.Text; return true }
		requests = append(requests, request)
	}
	results, errs, err := GenerateBatch(context.Background(), sessions, requests)
	if err != nil {
		t.Fatal(err)
	}
	for i := range results {
		if errs[i] != nil || results[i].Text != want[i] || heard[i] != want[i] {
			t.Fatalf("%d: %v %q %q, expected %q", i, errs[i], results[i].Text, heard[i], want[i])
		}
	}
	requests[1] = Request{Tokens: []int32{1 << 30}}
	requests[2].OnToken = nil
	results, errs, err = GenerateBatch(nil, sessions, requests)
	if err != nil || errs[0] != nil || errs[1] == nil || results[2].Text != want[2] {
		t.Fatal(err, errs)
	}
	if _, _, err := GenerateBatch(nil, []*Session{sessions[0], sessions[0]}, requests); !errors.Is(err, leat.EState) {
		t.Fatal(err)
	}
	if _, _, err := GenerateBatch(nil, nil, requests); !errors.Is(err, leat.EInval) {
		t.Fatal(err)
	}
}

func TestParallelSessionsOutliveTheModel(t *testing.T) {
	model, session := open(t)
	want := must(t, session, greedy(20))
	var group sync.WaitGroup
	for i := 0; i < 4; i++ {
		s, err := model.NewSession(&SessionOptions{Context: 128})
		if err != nil {
			t.Fatal(err)
		}
		group.Add(1)
		go func() {
			defer group.Done()
			defer s.Close()
			for j := 0; j < 3; j++ {
				if result, err := s.Generate(nil, greedy(20)); err != nil || result.Text != want.Text {
					t.Error(err)
				}
			}
		}()
	}
	model.Close()
	if _, err := model.NewSession(nil); !errors.Is(err, leat.EState) {
		t.Error(err)
	}
	group.Wait()
}

func TestCollectorFrees(t *testing.T) {
	live := func() (sum uint64) {
		runtime.GC()
		for _, bytes := range leat.Memory().LiveBytes {
			sum += bytes
		}
		return sum
	}
	path := modelPath(t)
	before := live()
	for i := 0; i < 10; i++ {
		model, err := Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		session, err := model.NewSession(&SessionOptions{Context: 64})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := session.Generate(nil, greedy(4)); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); live() > before; time.Sleep(time.Millisecond) { // finalisers run when they run
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes live, %d before", live(), before)
		}
	}
}

func TestCollectorDuringGenerate(t *testing.T) {
	path, stop := modelPath(t), make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	defer close(stop)
	for i := 0; i < 5; i++ { // nobody refers to model and session after the call
		model, err := Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		session, err := model.NewSession(&SessionOptions{Context: 128})
		if err != nil {
			t.Fatal(err)
		}
		request := greedy(40)
		request.OnToken = func(Piece) bool { return true }
		if result, err := session.Generate(context.Background(), request); err != nil || len(result.Tokens) != 40 {
			t.Fatal(err)
		}
	}
}

func TestCache(t *testing.T) {
	path := modelPath(t)
	cache, err := NewCache(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	one, err := cache.Get(path)
	if err != nil {
		t.Fatal(err)
	}
	two, err := cache.Get(path)
	if err != nil {
		t.Fatal(err)
	}
	if stats, err := cache.Stats(); err != nil || stats.Models != 1 || stats.Hits != 1 || stats.Misses != 1 {
		t.Fatalf("%+v %v", stats, err)
	}
	if _, err := cache.Get("no/such.gguf"); !errors.Is(err, leat.EIO) {
		t.Fatal(err)
	}
	one.Close()
	cache.Close()
	if _, err := two.Tokenize(prompt, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := cache.Get(path); !errors.Is(err, leat.EState) {
		t.Fatal(err)
	}
}

func TestOpenMemory(t *testing.T) {
	_, session := open(t)
	want := must(t, session, greedy(20))
	data, err := os.ReadFile(modelPath(t))
	if err != nil {
		t.Fatal(err)
	}
	model, err := OpenMemory(data, &Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range data { // it was copied
		data[i] = 0xFF
	}
	data = nil
	runtime.GC()
	one, err := model.NewSession(&SessionOptions{Context: 128})
	if err != nil {
		t.Fatal(err)
	}
	two, err := model.NewSession(&SessionOptions{Context: 128})
	if err != nil {
		t.Fatal(err)
	}
	memory := model.memory
	model.Close()
	same(t, must(t, one, greedy(20)).Tokens, want.Tokens)
	one.Close()
	same(t, must(t, two, greedy(20)).Tokens, want.Tokens)
	if memory.Pointer() == nil {
		t.Fatal("the memory is gone before its last session")
	}
	two.Close()
	if memory.Pointer() != nil {
		t.Fatal("the memory is still there")
	}
	for _, bad := range [][]byte{nil, {}, []byte("GGUF"), []byte("no model at all, but longer than a header is")} {
		if _, err := OpenMemory(bad, nil); !errors.Is(err, leat.EFormat) {
			t.Fatal(err)
		}
	}
}

// Whatever comes first, the goroutine's call or the cancel: the stream ends.
func TestCancelRightBehindStream(t *testing.T) {
	_, session := open(t)
	endless := forever()
	endless.MaxTokens = 400
	for i := 0; i < 50; i++ {
		stream := session.GenerateStream(context.Background(), endless)
		if err := session.Cancel(); err != nil {
			t.Fatal(err)
		}
		if result, err := stream.Result(); !errors.Is(err, leat.ECancelled) {
			t.Fatalf("%+v %v", result, err)
		}
		stream = session.GenerateStream(context.Background(), greedy(2))
		if _, err := session.Generate(nil, greedy(2)); err == nil || !errors.Is(err, leat.EState) { // refused as soon as GenerateStream is back
			select {
			case <-stream.done: // it may have ended already
			default:
				t.Fatal(err)
			}
		}
		if _, err := stream.Result(); err != nil {
			t.Fatal(err)
		}
	}
	same(t, must(t, session, greedy(8)).Tokens, must(t, session, greedy(8)).Tokens)
}

func TestOpenFails(t *testing.T) {
	if _, err := Open("no/such.gguf", nil); !errors.Is(err, leat.EIO) {
		t.Fatal(err)
	}
	if _, err := Open("lm_test.go", nil); !errors.Is(err, leat.EFormat) {
		t.Fatal(err)
	}
	model, _ := open(t)
	if _, err := model.NewSession(&SessionOptions{Context: -1}); err == nil {
		t.Fatal("a session of -1 tokens")
	}
}
