// Leat's driver for CWBudde/MayFlyCircleFit: joins its package internal/fit/renderer by `go test -c -overlay` (see bench_circlefit.py), reads the
// scenes of $LEAT_SCENES (format: bench_circlefit.c), times Render and Cost on one thread, prints one JSON object.
package renderer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"os"
	"sort"
	"strconv"
	"testing"
	"time"

	"github.com/cwbudde/mayflycirclefit/internal/fit"
)

const leatRounds = 9

// Median over rounds of the mean time of a call in microseconds.
func leatTime(seconds float64, call func(index int)) float64 {
	index := 0
	for start := time.Now(); time.Since(start).Seconds() < seconds/10; index++ {
		call(index)
	}
	n := index
	us := make([]float64, leatRounds)
	for round := range us {
		start := time.Now()
		for i := 0; i < n; i++ {
			call(index)
			index++
		}
		us[round] = time.Since(start).Seconds() * 1e6 / float64(n)
	}
	sort.Float64s(us)
	return us[leatRounds/2]
}

func TestLeatPeer(t *testing.T) {
	path := os.Getenv("LEAT_SCENES")
	if path == "" {
		t.Skip("LEAT_SCENES names no file")
	}
	seconds, _ := strconv.ParseFloat(os.Getenv("LEAT_SECONDS"), 64)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	reader := bytes.NewReader(raw)
	var head struct{ Width, Height, Circles, Count, Frozen int32 }
	if err := binary.Read(reader, binary.LittleEndian, &head); err != nil {
		t.Fatal(err)
	}
	width, height, k := int(head.Width), int(head.Height), int(head.Circles)
	rgb := make([]byte, 3*width*height)
	params := make([]float64, 7*(int(head.Frozen)+k*int(head.Count)))
	if _, err := reader.Read(rgb); err != nil {
		t.Fatal(err)
	}
	if err := binary.Read(reader, binary.LittleEndian, params); err != nil {
		t.Fatal(err)
	}
	reference := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := 0; i < width*height; i++ {
		copy(reference.Pix[4*i:], rgb[3*i:3*i+3])
		reference.Pix[4*i+3] = 255
	}
	frozen, scenes := params[:7*int(head.Frozen)], params[7*int(head.Frozen):]
	scene := func(index int) []float64 {
		at := index % int(head.Count) * 7 * k
		return scenes[at : at+7*k]
	}
	cpu := NewCPURenderer(reference, k)
	cpu.SetFastCompositing(os.Getenv("LEAT_FAST") == "1")
	cpu.SetThreads(1)
	if len(frozen) > 0 {
		base := NewCPURenderer(reference, int(head.Frozen))
		base.SetThreads(1)
		session, _, err := cpu.newSessionWithCanvas(base.Render(frozen), k)
		if err != nil {
			t.Fatal(err)
		}
		cpu = session.(*CPURenderer)
	}
	total := 0.0
	for i := 0; i < int(head.Count); i++ {
		total += cpu.Cost(scene(i))
	}
	render := leatTime(seconds/2, func(i int) { cpu.Render(scene(i)) })
	eval := leatTime(seconds/2, func(i int) { cpu.Cost(scene(i)) })
	fmt.Printf("{\"render_us\": %.4f, \"eval_us\": %.4f, \"sse\": %.0f, \"compositor\": %q, \"tier\": %q}\n", render, eval,
		total*float64(3*width*height), CompositingBackend(), fit.Tier().String())
}
