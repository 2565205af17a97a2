package build

import (
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk"
)

// host keeps the last progress, and the log.
type host struct {
	sdk.Host
	last sdk.Progress
	log  strings.Builder
}

func (h *host) Log(_ string, p []byte)  { h.log.Write(p) }
func (h *host) Progress(p sdk.Progress) { h.last = p }

func TestProgress(t *testing.T) {
	for _, c := range []struct {
		line        string
		stages      []int
		labels      int64
		done, total int64
	}{
		{"STEP 2/5: RUN make", []int{4}, 1, 2, 5},
		{"[1/2] STEP 1/3: FROM a", []int{3, 4, 9}, 1, 1, 8}, // a third stage that is not built
		{"[2/2] STEP 5/5: LABEL a=b", []int{3, 4}, 1, 8, 8},
		{"[2/2] STEP 2/6: COPY a b", []int{3, 4}, 2, 5, 9},
	} {
		h := &host{}
		a := &answer{req: &sdk.Request{Host: h}, file: &strings.Builder{}, stages: c.stages, labels: c.labels}
		if err := a.take(c.line + "\n"); err != nil {
			t.Fatal(err)
		}
		if want := (sdk.Progress{Message: c.line, Done: c.done, Total: c.total}); h.last != want {
			t.Errorf("%q: %+v, want %+v", c.line, h.last, want)
		}
	}
}

// TestSecrets: what hides secrets is asked before anything is told.
func TestSecrets(t *testing.T) {
	h := &host{}
	a := &answer{req: &sdk.Request{Host: h, Redactor: sdk.NewRedactor("hunter22")}, file: &strings.Builder{}}
	if err := a.take("STEP 1/1: RUN echo hunter22\n"); err != nil || strings.Contains(h.last.Message, "hunter22") {
		t.Errorf("%+v %v", h.last, err)
	}
	if err := a.failed("exit status 1: hunter22"); strings.Contains(err.Error(), "hunter22") {
		t.Error(err)
	}
}
