//go:build linux && integration

package runc_test

import (
	"encoding/json"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/containerpub/cpub/examples/providers/runc"
	"github.com/containerpub/cpub/sdk"
)

// TestRefuses: what the provider cannot work with it says at once, and with what to do about it.
func TestRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		config map[string]string
		user   int
		says   string
	}{
		"no runtime": {map[string]string{"runc": "/nowhere/runc"}, 0, "/nowhere/runc is not there, or no program: apt-get install runc"},
		"no init":    {map[string]string{"init": "/etc/passwd"}, 0, "/etc/passwd is not there, or no program: apt-get install catatonit"},
		"no root":    {nil, 65534, "the worker runs as user 65534: run the worker as root"},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := json.Marshal(tt.config)
			if err != nil {
				t.Fatal(err)
			}
			c := sdk.Configuration{Config: config, StateDir: t.TempDir()}
			if err := syscall.Setreuid(-1, tt.user); err != nil {
				t.Fatal(err)
			}
			_, err = runc.New().Configure(t.Context(), c)
			if err := syscall.Setreuid(-1, 0); err != nil {
				t.Fatal(err)
			}
			var failed *sdk.Error
			if !errors.As(err, &failed) || failed.Kind != sdk.KindPermanent || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want a permanent failure with %q", err, tt.says)
			}
		})
	}
}
