package provider

import (
	"testing"

	"github.com/containerpub/cpub/sdk/sdktest"
)

func TestProviderConforms(t *testing.T) { sdktest.Conforms(t, New()) }
