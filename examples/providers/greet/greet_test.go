package greet

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

func TestConforms(t *testing.T) { sdktest.Conforms(t, &Provider{}) }

func TestGreet(t *testing.T) {
	for name, wire := range map[string]bool{"in process": false, "over the wire": true} {
		t.Run(name, func(t *testing.T) {
			h := sdktest.New(t, &Provider{}, sdktest.Options{Config: map[string]any{"greeting": "Moin"}, Wire: wire})
			res := h.Run(sdktest.Call{Type: "greet", Input: map[string]any{"names": []string{"Ada", "Bob"}}})
			var out outputs
			res.Decode(&out)
			if out.Count != 2 || res.Text("step") != "wrote to Ada\nwrote to Bob\n" || len(res.ProgressReports()) != 2 {
				t.Errorf("%+v, %q, %v", out, res.Text("step"), res.ProgressReports())
			}
			letter, err := os.ReadFile(filepath.Join(res.Path("letters"), "Ada.txt"))
			if err != nil || string(letter) != "Moin, Ada!\n" {
				t.Errorf("the letter is %q, %v", letter, err)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	h := sdktest.New(t, &Provider{}, sdktest.Options{})
	tests := []struct {
		name string
		in   map[string]any
		attr string
	}{
		{"nobody", map[string]any{}, "names"},
		{"no list", map[string]any{"names": "Ada"}, "names"},
		{"a path", map[string]any{"names": []string{"Ada", "../x"}}, "names[1]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var e *sdk.Error
			err := h.Run(sdktest.Call{Type: "greet", Input: tt.in}).Err
			if !errors.As(err, &e) || e.Kind != sdk.KindInvalid || e.Attr != tt.attr {
				t.Errorf("error %v, want one about %s", err, tt.attr)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	h := sdktest.New(t, &Provider{}, sdktest.Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(sdk.ErrCancelled)
	res := h.Run(sdktest.Call{Type: "greet", Input: map[string]any{"names": []string{"Ada"}}, Context: ctx})
	if !errors.Is(res.Err, sdk.ErrCancelled) {
		t.Errorf("error %v", res.Err)
	}
}
