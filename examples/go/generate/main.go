// generate is a language model in one page: open it, continue a text, show it as it comes.
//
//	cd examples/go && PKG_CONFIG_PATH=../../build go run ./generate model.gguf 'Once upon a time'
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"leat/lm"
)

func run(ctx context.Context, path, prompt string) error {
	model, err := lm.Open(path, nil)
	if err != nil {
		return err
	}
	defer model.Close()
	session, err := model.NewSession(nil)
	if err != nil {
		return err
	}
	defer session.Close()
	stream := session.GenerateStream(ctx, lm.Request{Prompt: prompt, MaxTokens: 60, Sampling: lm.Greedy()})
	for piece := range stream.Pieces {
		fmt.Print(piece.Text)
	}
	result, err := stream.Result()
	if err != nil {
		return err
	}
	fmt.Printf("\n(%d tokens, ended by: %s)\n", len(result.Tokens), result.Finish)
	return nil
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: generate MODEL.gguf PROMPT")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}
