package stack

import (
	"slices"
	"testing"
)

func TestEnvHoldsWhatRuns(t *testing.T) {
	at := addresses{
		temporal: address{"127.0.0.1", 1}, ui: address{"127.0.0.1", 2},
		s3: address{"127.0.0.1", 3}, registry: address{"127.0.0.1", 4},
	}
	id := identity{AccessKey: "K", SecretKey: "S"}
	common := []string{"CPUB_DEV_DIR=/state", "CPUB_STORE=file:///state/store?create_dir=1&no_tmp_dir=1"}
	tests := []struct {
		services []string
		want     []string
	}{
		{[]string{Temporal}, []string{"TEMPORAL_ADDRESS=127.0.0.1:1", "TEMPORAL_NAMESPACE=ns", "CPUB_DEV_UI=http://127.0.0.1:2"}},
		{[]string{S3}, []string{
			"AWS_ENDPOINT_URL=http://127.0.0.1:3", "AWS_ACCESS_KEY_ID=K", "AWS_SECRET_ACCESS_KEY=S", "AWS_REGION=us-east-1",
		}},
		{[]string{Registry}, []string{"CPUB_DEV_REGISTRY=localhost:4"}},
		{[]string{}, nil},
	}
	for _, test := range tests {
		got := newEndpoints(Options{Dir: "/state", Namespace: "ns", Services: test.services}, at, id).Env()
		if want := append(slices.Clone(common), test.want...); !slices.Equal(got, want) {
			t.Errorf("%v: Env() = %q, want %q", test.services, got, want)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, opts := range map[string]Options{
		"no folder":          {},
		"an unknown service": {Dir: "/state", Services: []string{"minio"}},
		"no gateway command": {Dir: "/state", Services: []string{S3}},
	} {
		if _, err := withDefaults(opts); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
