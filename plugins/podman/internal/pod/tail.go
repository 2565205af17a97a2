package pod

import (
	"context"
	"io"

	"github.com/containers/podman/v5/pkg/bindings/containers"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/sdk"
)

// Tail puts the last lines of a container's log into the step's log. It is for people: what cannot be read is left out.
func Tail(ctx context.Context, c *client.Client, name string, req *sdk.Request) {
	for stream, w := range map[string]io.Writer{"stdout": req.Log("stdout"), "stderr": req.Log("stderr")} {
		lines := make(chan string, 64)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for line := range lines {
				_, _ = io.WriteString(w, line) // a log's writer has no errors
			}
		}()
		out, errs := lines, (chan string)(nil)
		if stream == "stderr" {
			out, errs = nil, lines
		}
		call, cancel := c.Context(ctx)
		opts := new(containers.LogOptions).WithStdout(stream == "stdout").WithStderr(stream == "stderr").WithTail("20")
		_ = containers.Logs(call, name, opts, out, errs) // see above
		cancel()
		close(lines)
		<-done
	}
}
