package doctor

import (
	"slices"
	"testing"

	"github.com/containerpub/cpub/internal/testenv"
)

// The page has exactly what is looked at: here, what this package looks at; the providers' tests and those of workflows/client check the rest.
func TestPage(t *testing.T) {
	own := []string{"worker.hcl", "The store", "Registries", "This machine", "Providers"}
	if got, want := testenv.Documented(t, "doctor.md", own...), Names(); !slices.Equal(got, want) {
		t.Errorf("docs/doctor.md has %q, and looked at is %q", got, want)
	}
	rest := testenv.Documented(t, "doctor.md", "Temporal", "Archives", "S3", "Podman")
	if all := testenv.Documented(t, "doctor.md"); len(all) != len(rest)+len(Names()) {
		t.Errorf("docs/doctor.md has names under headings that no test knows: %q", all)
	}
}
