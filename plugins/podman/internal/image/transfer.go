package image

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"github.com/containerpub/cpub/sdk"
)

// maxParallel is how many layers Podman transfers at once.
const maxParallel = 6

// transfer reports the progress of a pull or a push. Podman tells when it begins with a layer, and when it is through with all of them; so
// what is reported is what must be done by then at least. It is a writer of Podman's words, to which they are passed on.
type transfer struct {
	io.Writer
	req   *sdk.Request
	what  string
	sizes []int64 // of the layers, the smallest first

	total int64
	begun int
	rest  []byte
}

func newTransfer(req *sdk.Request, what string, sizes []int64) *transfer {
	t := &transfer{Writer: req.Log("step"), req: req, what: what, sizes: slices.Sorted(slices.Values(sizes))}
	for _, s := range sizes {
		t.total += s
	}
	t.report(0)
	return t
}

func (t *transfer) report(done int64) {
	t.req.Progress(sdk.Progress{Message: t.what, Done: done, Total: t.total, Unit: "bytes"})
}

func (t *transfer) Write(p []byte) (int, error) {
	t.rest = append(t.rest, p...)
	for {
		line, rest, whole := bytes.Cut(t.rest, []byte("\n"))
		if !whole {
			break
		}
		t.line(string(line))
		t.rest = rest
	}
	return t.Writer.Write(p)
}

func (t *transfer) line(text string) {
	switch {
	case strings.HasPrefix(text, "Copying blob "):
		t.begun++
		var done int64
		for _, size := range t.sizes[:max(min(t.begun-maxParallel, len(t.sizes)), 0)] {
			done += size
		}
		t.report(done)
	case strings.HasPrefix(text, "Copying config "):
		t.report(t.total)
	}
}
