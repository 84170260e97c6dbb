// run_model opens a model, feeds it, and reads the answer.
//
//	cd examples/go && PKG_CONFIG_PATH=../../build go run ./run_model model.onnx
package main

import (
	"fmt"
	"os"

	"leat"
)

// feed binds a tensor of 0.5 to every input; unknown dimensions become 1.
func feed(model *leat.Model, context *leat.Context) error {
	for _, input := range model.Inputs() {
		dims := make([]int64, len(input.Dims))
		for d, dim := range input.Dims {
			dims[d] = 1
			if dim > 0 {
				dims[d] = dim
			}
		}
		tensor, err := leat.NewTensor(input.DType, dims...)
		if err != nil {
			return err
		}
		if input.DType == leat.Float32 {
			values, _ := leat.Data[float32](tensor)
			for i := range values {
				values[i] = 0.5
			}
		}
		if err := context.SetInput(input.Name, tensor); err != nil {
			return err
		}
	}
	return nil
}

func run(path string) error {
	model, err := leat.OpenModel(path, nil)
	if err != nil {
		return err
	}
	defer model.Close()
	context, err := model.NewContext(nil)
	if err != nil {
		return err
	}
	defer context.Close()
	if err := feed(model, context); err != nil {
		return err
	}
	if err := context.Run(nil); err != nil {
		return err
	}
	output, err := context.OutputView(model.Outputs()[0].Name)
	if err != nil {
		return err
	}
	fmt.Printf("output 0: %v, %d elements", output.DType(), output.Len())
	if values, err := leat.Data[float32](output); err == nil && len(values) > 0 {
		fmt.Printf(", first %.6g", values[0])
	}
	fmt.Println()
	return nil
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: run_model MODEL.onnx")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "run_model:", err)
		os.Exit(1)
	}
}
