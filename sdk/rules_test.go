package sdk

import "testing"

func TestMatchReference(t *testing.T) {
	tests := []struct {
		pattern, ref string
		want         bool
	}{
		{"localhost:5000/*", "localhost:5000/fn:latest", true},
		{"localhost:5000/*", "localhost:5000/team/fn@sha256:abc", true},
		{"localhost:5000/*", "localhost:50001/fn", false},
		{"localhost:5000/*", "evil.example/localhost:5000/fn", false},
		{"*", "evil.example/fn", true},
		{"*", "alpine", false},
		{"*", "library/alpine", false},
		{"quay.io/*/base:*", "quay.io/team/base:1", true},
		{"quay.io/*/base:*", "quay.io/team/other:1", false},
		{"a.io/x", "a.io/x", true},
		{"a.io/x", "a.io/xy", false},
		{"a.io/ab*ba", "a.io/aba", false},
		{"", "a.io/x", false},
	}
	for _, tt := range tests {
		if got := MatchReference([]string{tt.pattern}, tt.ref); got != tt.want {
			t.Errorf("MatchReference(%q, %q) = %v, want %v", tt.pattern, tt.ref, got, tt.want)
		}
	}
}
