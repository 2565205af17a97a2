package testenv

import "testing"

func TestBinaryName(t *testing.T) {
	for pkg, want := range map[string]string{
		"./cmd/cpub":          "cpub",
		"./plugins/s3":        "cpub-provider-s3",
		"./sdk/sdktest/probe": "probe",
	} {
		if got := binaryName(pkg); got != want {
			t.Errorf("binaryName(%q) = %q, want %q", pkg, got, want)
		}
	}
}
