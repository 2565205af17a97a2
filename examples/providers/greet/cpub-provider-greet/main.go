// Command cpub-provider-greet is the provider greet.
package main

import (
	"github.com/containerpub/cpub/examples/providers/greet"
	"github.com/containerpub/cpub/sdk/serve"
)

func main() { serve.Main(&greet.Provider{}) }
