package provider

import (
	"slices"
	"testing"

	"github.com/containerpub/cpub/internal/testenv"
)

// The page has exactly what is looked at.
func TestPage(t *testing.T) {
	if got, want := testenv.Documented(t, "doctor.md", "S3"), findings(); !slices.Equal(got, want) {
		t.Errorf("docs/doctor.md has %q, and looked at is %q", got, want)
	}
}
