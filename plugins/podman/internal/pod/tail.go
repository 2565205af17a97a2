package pod

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/containers/podman/v5/pkg/bindings/containers"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/sdk"
)

// tailTime is how long reading the end of a log may take.
const tailTime = 5 * time.Second

// Tail puts the last lines of a container's log into the step's log. It is for people: what cannot be read is left out.
func Tail(ctx context.Context, c *client.Client, name string, req *sdk.Request) {
	ctx, cancel := context.WithTimeout(ctx, tailTime)
	defer cancel()
	call, end := c.Context(ctx)
	defer end()
	stdout, stderr := make(chan string), make(chan string)
	var copied sync.WaitGroup
	for lines, w := range map[chan string]io.Writer{stdout: req.Log("stdout"), stderr: req.Log("stderr")} {
		copied.Go(func() {
			for line := range lines {
				_, _ = io.WriteString(w, line) // a log's writer has no errors
			}
		})
	}
	_ = containers.Logs(call, name, new(containers.LogOptions).WithStdout(true).WithStderr(true).WithTail("20"), stdout, stderr) // see above
	close(stdout)
	close(stderr)
	copied.Wait()
}
