package leat

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

const modelPath = "../../models/abacus_cells.onnx"

func openModel(t testing.TB) *Model {
	t.Helper()
	model, err := OpenModel(modelPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	return model
}

func picture(t testing.TB, batch, side int64) *Tensor {
	t.Helper()
	tensor, err := NewTensor(Float32, batch, 3, side, side)
	if err != nil {
		t.Fatal(err)
	}
	pixels, err := Data[float32](tensor)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewSource(1))
	for i := range pixels {
		pixels[i] = random.Float32()
	}
	runtime.KeepAlive(tensor)
	return tensor
}

func newContext(t testing.TB, model *Model, image *Tensor) *Context {
	t.Helper()
	c, err := model.NewContext(nil)
	if err == nil {
		err = c.SetInput("image", image)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func logits(t testing.TB, c *Context) []float32 {
	t.Helper()
	out, err := c.Output("logits")
	if err != nil {
		t.Fatal(err)
	}
	values, err := Data[float32](out)
	if err != nil {
		t.Fatal(err)
	}
	values = append([]float32(nil), values...)
	runtime.KeepAlive(out)
	return values
}

func mustRun(t testing.TB, c *Context) []float32 {
	t.Helper()
	if err := c.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return logits(t, c)
}

func equal(t *testing.T, got, want []float32) {
	t.Helper()
	if len(got) != len(want) || len(got) == 0 {
		t.Fatalf("%d values, expected %d", len(got), len(want))
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("value %d is %v, expected %v", i, got[i], want[i])
		}
	}
}

// npy writes and reads float32 arrays as numpy does.
func npy(dims string, values []float32) []byte {
	header := "{'descr': '<f4', 'fortran_order': False, 'shape': (" + dims + "), }"
	for (10+len(header)+1)%64 != 0 {
		header += " "
	}
	var out bytes.Buffer
	out.WriteString("\x93NUMPY\x01\x00")
	binary.Write(&out, binary.LittleEndian, uint16(len(header)+1))
	out.WriteString(header + "\n")
	binary.Write(&out, binary.LittleEndian, values)
	return out.Bytes()
}

func readNpy(t *testing.T, path string) []float32 {
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data := raw[10+int(binary.LittleEndian.Uint16(raw[8:])):]
	values := make([]float32, len(data)/4)
	binary.Read(bytes.NewReader(data), binary.LittleEndian, values)
	return values
}

func TestSameAsLeatRun(t *testing.T) {
	build := os.Getenv("LEAT_BUILD")
	if build == "" {
		build = "../../build"
	}
	folder := t.TempDir()
	image := picture(t, 1, 64)
	pixels, _ := Data[float32](image)
	if err := os.WriteFile(filepath.Join(folder, "x.npy"), npy("1, 3, 64, 64", pixels), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(build, "leat"), "run", modelPath, "--input", "image="+filepath.Join(folder, "x.npy"), "--output-dir", folder).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	model := openModel(t)
	defer model.Close()
	c := newContext(t, model, image)
	defer c.Close()
	equal(t, mustRun(t, c), readNpy(t, filepath.Join(folder, "logits.npy")))
}

func TestDeclared(t *testing.T) {
	model := openModel(t)
	defer model.Close()
	in := model.Inputs()
	if len(in) != 1 || in[0].Name != "image" || in[0].DType != Float32 || in[0].Rank != 4 || in[0].Dims[1] != 3 || in[0].Dims[0] != -1 || in[0].DimNames[0] != "batch" {
		t.Fatalf("%+v", in)
	}
	info, err := model.Info()
	if err != nil || info.GraphName != "abacus_cells" || info.Parameters < 50000 {
		t.Fatalf("%+v %v", info, err)
	}
	operators, _ := model.Operators()
	nodes := 0
	for _, o := range operators {
		nodes += o.Count
	}
	if nodes != info.NodesFile {
		t.Fatalf("%d nodes by kind, %d in all", nodes, info.NodesFile)
	}
	if text, err := model.Dump(DumpDot); err != nil || !bytes.Contains([]byte(text), []byte("digraph")) {
		t.Fatal(err)
	}
	if list, err := model.Unsupported(); err != nil || len(list) != 0 {
		t.Fatal(list, err)
	}
}

func TestBoundOutputAndStats(t *testing.T) {
	model := openModel(t)
	defer model.Close()
	c, _ := model.NewContext(&ContextOptions{Profile: true})
	defer c.Close()
	if err := c.SetInput("image", picture(t, 2, 64)); err != nil {
		t.Fatal(err)
	}
	want := mustRun(t, c)
	place, _ := NewTensor(Float32, 2, 3)
	if err := c.SetOutput("logits", place); err != nil {
		t.Fatal(err)
	}
	mustRun(t, c)
	got, _ := Data[float32](place)
	equal(t, got, want)
	seen, err := c.OutputView("logits")
	if err != nil || seen.data != place.data {
		t.Fatal("the output is not where it was bound", err)
	}
	small, _ := NewTensor(Float32, 3)
	c.SetOutput("logits", small)
	if err := c.Run(nil); !errors.Is(err, ELimit) {
		t.Fatal(err)
	}
	c.SetOutput("logits", nil)
	equal(t, mustRun(t, c), want)
	stats, err := c.Stats()
	if err != nil || stats.Runs != 3 || stats.RunAllocations != 0 || stats.MACs == 0 {
		t.Fatalf("%+v %v", stats, err)
	}
	nodes, err := c.Nodes()
	if err != nil || len(nodes) != stats.Nodes || nodes[0].TotalNs == 0 || nodes[0].Kernel == "" {
		t.Fatalf("%+v %v", nodes, err)
	}
	runtime.KeepAlive(place)
}

func TestErrors(t *testing.T) {
	_, err := OpenModel("no/such.onnx", nil)
	var failed *Error
	if !errors.As(err, &failed) || failed.Status != EIO || !errors.Is(err, EIO) || failed.Message == "" {
		t.Fatalf("%v", err)
	}
	if _, err := OpenModel("leat_test.go", nil); !errors.Is(err, EFormat) {
		t.Fatal(err)
	}
	if _, err := OpenModel("a\x00b", nil); !errors.Is(err, EInval) {
		t.Fatal(err)
	}
	model := openModel(t)
	defer model.Close()
	if _, err := model.NewContext(&ContextOptions{Keep: "no such value"}); !errors.Is(err, EInval) {
		t.Fatal(err)
	}
	c, _ := model.NewContext(nil)
	defer c.Close()
	wrong, _ := NewTensor(Float64, 1, 3, 64, 64)
	flat, _ := NewTensor(Float32, 3)
	if err := c.SetInput("image", wrong); !errors.Is(err, EType) {
		t.Fatal(err)
	}
	if err := c.SetInput("image", flat); !errors.Is(err, EShape) {
		t.Fatal(err)
	}
	if err := c.SetInput("image", nil); !errors.Is(err, EInval) {
		t.Fatal(err)
	}
	if err := c.SetInput("picture", flat); !errors.Is(err, EInval) {
		t.Fatal(err)
	}
	if err := c.Run(nil); !errors.Is(err, EState) {
		t.Fatal(err)
	}
	if _, err := Data[float64](flat); !errors.Is(err, EType) {
		t.Fatal(err)
	}
	for _, dims := range [][]int64{{-1}, {1 << 40, 1 << 40}, {1, 1, 1, 1, 1, 1, 1, 1, 1}} {
		if _, err := NewTensor(Float32, dims...); !errors.Is(err, EShape) {
			t.Fatal(dims, err)
		}
	}
	if _, err := TensorOf([]float32{1, 2}, 3); !errors.Is(err, EShape) {
		t.Fatal(err)
	}
}

func TestOpenModelMemory(t *testing.T) {
	model := openModel(t)
	defer model.Close()
	image := picture(t, 1, 64)
	want := mustRun(t, newContext(t, model, image))
	data, err := os.ReadFile(modelPath)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := OpenModelMemory(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		data[i] = 0xFF
	}
	c := newContext(t, copied, image)
	memory := copied.memory
	copied.Close()
	equal(t, mustRun(t, c), want)
	if memory.Pointer() == nil {
		t.Fatal("the memory is gone before its last context")
	}
	c.Close()
	if memory.Pointer() != nil {
		t.Fatal("the memory is still there")
	}
	for _, bad := range [][]byte{nil, {}, []byte("no model")} {
		if _, err := OpenModelMemory(bad, nil); !errors.Is(err, EFormat) {
			t.Fatal(err)
		}
	}
}

func TestAsync(t *testing.T) {
	model := openModel(t)
	defer model.Close()
	c := newContext(t, model, picture(t, 8, 128))
	defer c.Close()
	want := mustRun(t, c)
	refused := 0
	for i := 0; i < 20; i++ {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if err := c.Run(nil); errors.Is(err, EState) {
			refused++
		}
		if err := c.Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
		equal(t, logits(t, c), want)
	}
	if done, err := c.Poll(); !done || err != nil || refused == 0 {
		t.Fatal(done, err, refused)
	}
}

func TestCancel(t *testing.T) {
	model := openModel(t)
	defer model.Close()
	c := newContext(t, model, picture(t, 4, 128))
	defer c.Close()
	want := mustRun(t, c)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.Run(gone); !errors.Is(err, context.Canceled) || !errors.Is(err, ECancelled) {
		t.Fatal(err)
	}
	cancelled := 0
	for i := 0; i < 50; i++ { // whatever the moment, the run is whole or cancelled, and the next one is whole
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*50*time.Microsecond)
		err := c.Run(ctx)
		cancel()
		if err != nil && !errors.Is(err, ECancelled) {
			t.Fatal(err)
		}
		if err != nil {
			cancelled++
		}
		equal(t, mustRun(t, c), want)
	}
	if cancelled == 0 {
		t.Fatal("nothing was cancelled")
	}
	c.Cancel()
	if err := c.Run(nil); !errors.Is(err, ECancelled) {
		t.Fatal(err)
	}
}

func TestCloseDuringRun(t *testing.T) {
	model := openModel(t)
	defer model.Close()
	image := picture(t, 16, 128)
	for i := 0; i < 10; i++ {
		c := newContext(t, model, image)
		var group sync.WaitGroup
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				if err := c.Run(nil); err != nil {
					if !errors.Is(err, ECancelled) && !errors.Is(err, EState) {
						t.Error(err)
					}
					return
				}
			}
		}()
		time.Sleep(2 * time.Millisecond)
		c.Close()
		c.Close()
		group.Wait()
	}
}

func TestContextsInParallel(t *testing.T) {
	model := openModel(t)
	image := picture(t, 1, 64)
	first := newContext(t, model, image)
	want := mustRun(t, first)
	var group sync.WaitGroup
	for g := 0; g < 4; g++ {
		c := newContext(t, model, image)
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; i < 10; i++ {
				equal(t, mustRun(t, c), want)
			}
		}()
	}
	model.Close() // the contexts hold it
	if _, err := model.NewContext(nil); !errors.Is(err, EState) {
		t.Error(err)
	}
	group.Wait()
}

func TestCollectorFrees(t *testing.T) {
	live := func() uint64 { runtime.GC(); return Memory().LiveBytes["graph"] }
	before := live()
	for i := 0; i < 20; i++ {
		model := openModel(t)
		mustRun(t, newContext(t, model, picture(t, 1, 64)))
	}
	for deadline := time.Now().Add(10 * time.Second); live() > before; time.Sleep(time.Millisecond) { // finalisers run when they run
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes of graphs, %d before", live(), before)
		}
	}
}

func TestCollectorDuringRun(t *testing.T) {
	stop := make(chan struct{})
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
	for i := 0; i < 20; i++ { // nobody refers to model and context after the last run
		if err := newContext(t, openModel(t), picture(t, 4, 128)).Run(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}
