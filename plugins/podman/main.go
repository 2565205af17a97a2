// Command podman is the podman provider: images are built, pushed and pulled, and containers run, on one Podman service.
package main

import (
	"github.com/containerpub/cpub/plugins/podman/internal/provider"
	"github.com/containerpub/cpub/sdk/serve"
)

func main() { serve.Main(provider.New()) }
