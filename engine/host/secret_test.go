package host

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

const secretValue = "tr0ub4dor&3"

func secretHost(t *testing.T) *Host {
	t.Helper()
	return newHost(t, func(o *Options) {
		o.Instances[0].Secrets = []sdk.Secret{
			{Name: "TOKEN", Value: secretValue, StepTypes: []string{"probe", "pure"}},
			{Name: "OTHER", Value: "something else", StepTypes: []string{"something_else"}},
		}
	})
}

// withSecret is a call whose secret attribute is a text of that name's secret.
func withSecret(t *testing.T, name string, in map[string]any) engine.Call {
	t.Helper()
	in["secret"] = "shown"
	call := callOf(t, in)
	call.Secrets = []schema.SecretText{{Path: []string{"secret"}, Parts: []schema.SecretPart{{Text: "<"}, {Secret: name}, {Text: ">"}}}}
	return call
}

// TestSecretReachesTheProvider and nobody else: what comes back has it in no place.
func TestSecretReachesTheProvider(t *testing.T) {
	h := secretHost(t)
	obs := newObserver()
	raw, err := h.Run(t.Context(), withSecret(t, "TOKEN", map[string]any{"do": "secret"}), obs)
	if want := `{"text":"13 bytes: \u003c***\u003e"}`; err != nil || string(raw) != want {
		t.Errorf("outputs %s, %v; want %s", raw, err, want)
	}
	if got := obs.log.String(); strings.ReplaceAll(got, "stdout:", "") != "it is <***>\n<***" {
		t.Errorf("the log is %q", got)
	}
	if got := obs.progress[0].Message; got != "with <***>" {
		t.Errorf("the progress is %q", got)
	}
	if got := string(obs.checkpoint); got != `{"at":"\u003c***\u003e"}` {
		t.Errorf("the checkpoint is %s", got)
	}
}

func TestSecretInFailure(t *testing.T) {
	_, err := secretHost(t).Run(t.Context(), withSecret(t, "TOKEN", map[string]any{"do": "secret", "text": "fail"}), newObserver())
	var failure *sdk.Error
	if !errors.As(err, &failure) || failure.Code != "exit" || failure.Error() != "no luck with <***>" || strings.Contains(string(failure.Outputs), secretValue) {
		t.Errorf("%v %s", err, failure.Outputs)
	}
}

// TestSecretAtTheCut: of a long message the end is cut, and in front of it there may be half a secret.
func TestSecretAtTheCut(t *testing.T) {
	h := secretHost(t)
	for size := 16<<10 - 60; size < 16<<10+10; size += 3 {
		_, err := h.Run(t.Context(), withSecret(t, "TOKEN", map[string]any{"do": "secret", "text": "fail", "n": size}), newObserver())
		if err == nil || strings.Contains(err.Error(), secretValue[:4]) {
			t.Fatalf("with %d bytes in front: …%s", size, err.Error()[max(0, len(err.Error())-80):])
		}
	}
}

// TestManySecrets: whoever asks for a secret so often that the provider would drown in it is refused.
func TestManySecrets(t *testing.T) {
	h := newHost(t, func(o *Options) {
		o.Instances[0].Secrets = []sdk.Secret{{Name: "BIG", Value: strings.Repeat("x", 60<<10)}}
	})
	for _, n := range []int{20, 5000} {
		call := withSecret(t, "BIG", map[string]any{"do": "secret"})
		for range n {
			call.Secrets[0].Parts = append(call.Secrets[0].Parts, schema.SecretPart{Secret: "BIG"})
		}
		_, err := h.Run(t.Context(), call, newObserver())
		var e *sdk.Error
		if !errors.As(err, &e) || e.Kind == sdk.KindTransient {
			t.Errorf("%d times: %v", n, err)
		}
	}
}

// TestSecretsOfPureSteps: their results are not kept, since a secret's name says nothing about its value.
func TestSecretsOfPureSteps(t *testing.T) {
	h := secretHost(t)
	call := withSecret(t, "TOKEN", map[string]any{"do": "secret"})
	call.StepType = "pure"
	for range 2 {
		raw, err := h.Run(t.Context(), call, newObserver())
		if err != nil || strings.Contains(string(raw), "cached") {
			t.Fatalf("%s %v", raw, err)
		}
	}
}

func TestSecretsAreDenied(t *testing.T) {
	h := secretHost(t)
	for _, tt := range []struct{ name, secret, code, want string }{
		{"unknown", "NONE", sdk.CodeDenied, `secret "NONE" is not granted to probe.p for probe`},
		{"of another step type", "OTHER", sdk.CodeDenied, `secret "OTHER" is not granted to probe.p for probe`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := h.Run(t.Context(), withSecret(t, tt.secret, map[string]any{"do": "secret"}), newObserver())
			var e *sdk.Error
			if !errors.As(err, &e) || e.Kind != sdk.KindPermanent || e.Code != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
	call := callOf(t, map[string]any{"do": "echo", "text": "shown"})
	call.Secrets = []schema.SecretText{{Path: []string{"text"}, Parts: []schema.SecretPart{{Secret: "TOKEN"}}}}
	if raw, err := h.Run(t.Context(), call, newObserver()); err == nil || !strings.Contains(err.Error(), "a secret cannot stand here") {
		t.Errorf("a secret where the provider takes none: %s, %v", raw, err)
	}
	call = withSecret(t, "TOKEN", map[string]any{"do": "secret"})
	call.Input = json.RawMessage(`{"do":"secret"}`)
	if _, err := h.Run(t.Context(), call, newObserver()); err == nil || !strings.Contains(err.Error(), "has no text") {
		t.Errorf("a secret where the input has nothing: %v", err)
	}
}
