// Command cpub-provider-s3 is the provider that downloads from and uploads to S3 stores.
package main

import (
	"github.com/containerpub/cpub/plugins/s3/internal/provider"
	"github.com/containerpub/cpub/sdk/serve"
)

func main() { serve.Main(provider.New()) }
