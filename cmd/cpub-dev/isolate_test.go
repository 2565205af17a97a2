package main

import (
	"os"
	"testing"
)

func TestIsolateLeavesNoOtherAccount(t *testing.T) {
	gone := []string{"TEMPORAL_API_KEY", "TEMPORAL_PROFILE", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL_S3"}
	for _, name := range append(gone, "TEMPORAL_CONFIG_FILE", "OTHER") {
		t.Setenv(name, "value")
	}
	if err := isolate(); err != nil {
		t.Fatal(err)
	}
	for _, name := range gone {
		if value, ok := os.LookupEnv(name); ok {
			t.Errorf("%s is still %q", name, value)
		}
	}
	if got := os.Getenv("TEMPORAL_CONFIG_FILE"); got != os.DevNull {
		t.Errorf("TEMPORAL_CONFIG_FILE = %q, want %q", got, os.DevNull)
	}
	if got := os.Getenv("OTHER"); got != "value" {
		t.Errorf("OTHER = %q, want it untouched", got)
	}
}
