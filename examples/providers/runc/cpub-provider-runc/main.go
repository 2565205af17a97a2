//go:build linux

// Command cpub-provider-runc is the provider runc, and the supervisor of each of its containers.
package main

import (
	"github.com/containerpub/cpub/examples/providers/runc"
	"github.com/containerpub/cpub/examples/providers/runc/container"
	"github.com/containerpub/cpub/sdk/serve"
)

func main() {
	if container.Supervise() {
		return
	}
	serve.Main(runc.New())
}
