// Command cpub-provider-archive is the provider that unpacks archives.
package main

import (
	"github.com/containerpub/cpub/plugins/archive/internal/provider"
	"github.com/containerpub/cpub/sdk/serve"
)

func main() { serve.Main(provider.New()) }
