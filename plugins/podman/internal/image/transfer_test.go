package image

import (
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk"
)

// reports keeps what is reported.
type reports struct {
	sdk.Host
	log  strings.Builder
	done []int64
	last sdk.Progress
}

func (r *reports) Log(_ string, p []byte) { r.log.Write(p) }
func (r *reports) Progress(p sdk.Progress) {
	r.done, r.last = append(r.done, p.Done), p
}

func TestTransfer(t *testing.T) {
	r := &reports{}
	tr := newTransfer(&sdk.Request{Host: r}, "pulling x", []int64{100, 1, 10, 1000, 1000, 1000, 1000, 1000})
	text := strings.Repeat("Copying blob sha256:0\n", 8) + "Copying config sha256:1\nWriting manifest to image destination\n"
	for i := range text { // however it is cut
		if _, err := tr.Write([]byte(text[i : i+1])); err != nil {
			t.Fatal(err)
		}
	}
	want := []int64{0, 0, 0, 0, 0, 0, 0, 1, 11, 5111}
	if len(r.done) != len(want) || r.log.String() != text || r.last.Unit != "bytes" || r.last.Total != 5111 {
		t.Fatalf("%v, the last %+v", r.done, r.last)
	}
	for i := range want {
		if r.done[i] != want[i] {
			t.Errorf("report %d: %d, want %d", i, r.done[i], want[i])
		}
	}
}
