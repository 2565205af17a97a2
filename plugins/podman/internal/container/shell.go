package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/containers/podman/v5/pkg/bindings/containers"
	"github.com/containers/podman/v5/pkg/specgen"

	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// defaultShell is what every image with a shell has.
const defaultShell = "/bin/sh"

// Shell makes the container of a container_run anew, under the same limits and proofs, with a shell in place of its code, and goes with it to
// its end. Nothing is left of it.
func (r *Runner) Shell(ctx context.Context, s *sdk.Shell) (code int, err error) {
	in, err := Decode(s.Request)
	if err != nil {
		return 0, err
	}
	if err := Enforceable(ctx, r.Client, in.AllowUnenforcedLimits); err != nil {
		return 0, err
	}
	in.TimeLimit, in.Stdin, in.sidecars = schema.Duration(s.TimeLimit), "", nil // a shell is alone
	a := &run{Runner: r, req: s.Request, in: in, freeIDs: func() {}, shell: s, times: times{began: time.Now()}}
	defer func() {
		a.watch.close()
		err = errors.Join(err, a.cleanup(ctx))
		a.freeIDs()
	}()
	state, _, err := a.prepare(ctx)
	if err != nil {
		return 0, err
	}
	return a.converse(ctx, state.pid)
}

// asShell makes of a step's container one for a shell.
func asShell(s *specgen.SpecGenerator, shell *sdk.Shell) {
	yes := true
	s.Entrypoint, s.Command = []string{defaultShell}, []string{}
	if len(shell.Command) > 0 {
		s.Entrypoint, s.Command = shell.Command[:1], shell.Command[1:]
	}
	s.Terminal, s.Stdin = &shell.Terminal, &yes
	s.LogConfiguration = &specgen.LogConfig{Driver: "none"} // what a person sees there is nobody else's
	until := time.Now().Add(time.Duration(math.MaxInt32) * time.Second)
	if limit := shell.TimeLimit + backstop*time.Second; limit < time.Until(until) {
		until = time.Now().Add(limit)
	}
	s.Labels[owner.LabelShell] = strconv.FormatInt(until.Unix(), 10)
}

// ofShell tells that a container is a shell whose time is not over: it belongs to a run that may have ended long ago.
func ofShell(labels map[string]string) bool {
	until, err := strconv.ParseInt(labels[owner.LabelShell], 10, 64)
	return err == nil && time.Now().Before(time.Unix(until, 0))
}

// converse starts the shell, and goes with it to its end.
func (a *run) converse(ctx context.Context, pid int) (int, error) {
	pipe := a.shellPipe(pid)
	if pipe != nil {
		defer pipe.Close()
	}
	conn, output, err := a.attach(ctx, "stdin", "stdout", "stderr")
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	call, cancel := a.Client.Context(ctx)
	defer cancel()
	if err := containers.Start(call, owner.Name(a.req.Key), nil); err != nil {
		return 0, a.classify(fmt.Errorf("starting the shell: %w", err))
	}
	a.shell.Ready()
	go a.send(conn, pipe)
	go a.resize(ctx)
	shown := make(chan error, 1)
	go func() { shown <- a.show(output) }()
	return a.awaitShell(ctx, shown)
}

// shellPipe opens the container's end of its stdin; nil where there is a terminal, or it is out of reach. Of what goes through conmon instead
// something may be lost, where the shell is slow to read it: see openStdin.
func (a *run) shellPipe(pid int) *os.File {
	host, err := a.Client.Host()
	if err != nil || !host.Local() || a.shell.Terminal {
		return nil
	}
	pipe, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/0", pid), os.O_WRONLY|syscall.O_NONBLOCK, 0) // so that closing ends a write that waits
	if err != nil {
		return nil
	}
	return pipe
}

// send gives the shell what is typed. Its end is told as a terminal has it, or by closing.
func (a *run) send(conn net.Conn, pipe *os.File) {
	switch {
	case pipe != nil:
		halfClose(conn) // conmon closes its end of the pipe; ours is the last
		_, _ = io.Copy(pipe, a.shell.Stdin)
		_ = pipe.Close()
	case a.shell.Terminal:
		const endOfText = 4 // Ctrl-D
		_, _ = io.Copy(conn, a.shell.Stdin)
		_, _ = conn.Write([]byte{endOfText})
	default:
		_, _ = io.Copy(conn, a.shell.Stdin)
		halfClose(conn)
	}
}

// resize gives the shell's terminal the sizes that it should have. Podman takes none before the shell runs.
func (a *run) resize(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case size, ok := <-a.shell.Sizes:
			if !ok {
				return
			}
			for n := 0; n < 20 && ctx.Err() == nil; n++ {
				call, cancel := a.Client.Context(ctx)
				err := containers.ResizeContainerTTY(call, owner.Name(a.req.Key),
					new(containers.ResizeTTYOptions).WithHeight(int(size.Rows)).WithWidth(int(size.Columns)))
				cancel()
				if err == nil {
					break
				}
				time.Sleep(poll / 2)
			}
		}
	}
}

// show hands on what the shell writes, to its end.
func (a *run) show(output io.Reader) error {
	if a.shell.Terminal {
		_, err := io.Copy(a.shell.Stdout, output)
		return err
	}
	for {
		stream, frame, err := readFrame(output)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		to := a.shell.Stdout
		if stream == "stderr" {
			to = a.shell.Stderr
		}
		if _, err := to.Write(frame); err != nil {
			return err
		}
	}
}

// lastWords is how long what a shell wrote may take to come after its end.
const lastWords = 2 * time.Second

// awaitShell waits for the shell's end, and brings it about when its time is over.
func (a *run) awaitShell(ctx context.Context, shown <-chan error) (int, error) {
	limit := time.NewTimer(a.shell.TimeLimit)
	defer limit.Stop()
	look := time.NewTicker(poll)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-limit.C:
			return 0, sdk.Failed(sdk.CodeTimeLimit, nil, fmt.Errorf("the shell's time of %s is over", a.shell.TimeLimit))
		case <-look.C:
			state, err := a.ended(ctx, 0)
			if err != nil {
				return 0, err
			}
			if state == nil {
				continue
			}
			select {
			case <-shown:
			case <-time.After(lastWords):
			}
			if state.oomKilled {
				return 0, sdk.Failed(sdk.CodeOOM, nil, fmt.Errorf("the shell was killed because it needed more than its memory of %s", a.in.Memory))
			}
			return int(state.exitCode), nil
		}
	}
}
