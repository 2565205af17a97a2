//go:build integration

package provider

import (
	"testing"

	"github.com/containerpub/cpub/internal/testenv"
)

// gatewayEnv is where the gateway is, and how to sign in.
type gatewayEnv struct{ S3, Region, AccessKey, SecretKey string }

// services starts a gateway that ends with the test.
func services(t testing.TB) gatewayEnv {
	t.Helper()
	e := testenv.Services(t)
	return gatewayEnv{S3: e.S3, Region: e.Region, AccessKey: e.AccessKey, SecretKey: e.SecretKey}
}
