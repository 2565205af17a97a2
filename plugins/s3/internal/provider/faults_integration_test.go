//go:build integration

package provider

import (
	"strings"
	"testing"

	"github.com/containerpub/cpub/plugins/s3/internal/fault"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

func TestFaultsIntegration(t *testing.T) {
	g := startGateway(t)
	g.put(t, bucket, "there", []byte("x"))
	g.put(t, versioned, "there", []byte("x"))
	tests := []struct {
		name    string
		changes map[string]any
		input   map[string]any
		kind    sdk.Kind
		code    string
		says    string
	}{
		{"bucket", nil, map[string]any{"bucket": "nowhere"}, sdk.KindPermanent, fault.CodeNoBucket, `bucket "nowhere" does not exist at ` + g.S3},
		{"key", nil, map[string]any{"key": "none"}, sdk.KindPermanent, fault.CodeNoKey, `no object with key "none"`},
		{"version", nil, map[string]any{"bucket": versioned, "version_id": "01H0000000000000000000000X"}, sdk.KindPermanent, fault.CodeNoVersion, "no version"},
		{"access key", map[string]any{"access_key_id": "nobody"}, nil, sdk.KindPermanent, fault.CodeCredentials, "access key id is not known"},
		{"secret", map[string]any{"secret_access_key": "wrong"}, nil, sdk.KindPermanent, fault.CodeCredentials, "secret access key is wrong"},
		{"region", map[string]any{"region": "eu-west-9"}, nil, sdk.KindPermanent, fault.CodeRegion, `region "eu-west-9" seems to be wrong`},
		{"port", map[string]any{"endpoint": "http://127.0.0.1:1"}, nil, sdk.KindTransient, fault.CodeEndpoint, "cannot reach http://127.0.0.1:1"},
		{"host", map[string]any{"endpoint": "http://nowhere.invalid:9000"}, nil, sdk.KindTransient, fault.CodeEndpoint, "host nowhere.invalid of"},
		{"scheme", map[string]any{"endpoint": strings.Replace(g.S3, "http:", "https:", 1)}, nil, sdk.KindPermanent, fault.CodeEndpoint, "does not speak TLS"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := sdktest.New(t, New(), sdktest.Options{Wire: true, Config: g.config(tt.changes)})
			for step, more := range map[string]map[string]any{"object_fetch": nil, "object_put": {"content": "x"}} {
				if step == "object_put" && (tt.code == fault.CodeNoKey || tt.code == fault.CodeNoVersion) {
					continue // these are no faults of an upload
				}
				in := map[string]any{"bucket": bucket, "key": "there"}
				for _, changes := range []map[string]any{tt.input, more} {
					for k, v := range changes {
						in[k] = v
					}
				}
				err := h.Run(sdktest.Call{Type: step, Input: in}).Err
				wantError(t, err, tt.kind, tt.code)
				if err != nil && !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%s: error %q, want %q in it", step, err, tt.says)
				}
			}
		})
	}
}

func TestChainIntegration(t *testing.T) {
	g := startGateway(t)
	g.put(t, bucket, "there", []byte("x"))
	t.Setenv("AWS_ENDPOINT_URL", g.S3)
	t.Setenv("AWS_REGION", g.Region)
	t.Setenv("AWS_ACCESS_KEY_ID", g.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", g.SecretKey)
	h := sdktest.New(t, New(), sdktest.Options{Config: map[string]any{"path_style": true}})
	h.Run(g.fetchCall("", "there")).Decode(&struct{}{})
}
