package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin/runner"
)

var _ runner.Runner = (*process)(nil)

// process is one provider process, as go-plugin's runner.
type process struct {
	spawner        *spawner
	cmd            *exec.Cmd
	stdin          *os.File // our end: its closing, by our death too, tells the provider to end
	stdout, stderr *os.File
	theirs         []*os.File

	pid    atomic.Int64  // 0 before it runs
	exited chan struct{} // closed when the process has ended and is reaped
	err    error         // how; valid after exited
}

// newProcess takes go-plugin's environment and adds ours.
func newProcess(s *spawner, path string, env []string) (_ *process, err error) {
	p := &process{spawner: s, exited: make(chan struct{})}
	p.cmd = exec.Command(path) //nolint:noctx // a provider outlives the call that starts it
	p.cmd.Env, p.cmd.Dir, p.cmd.SysProcAttr = env, "/", processAttr()
	var in, out, errOut *os.File
	defer func() {
		if err != nil {
			p.closeFiles(in, out, errOut, p.stdin, p.stdout, p.stderr)
		}
	}()
	if in, p.stdin, err = os.Pipe(); err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	if p.stdout, out, err = os.Pipe(); err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	if p.stderr, errOut, err = os.Pipe(); err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = in, out, errOut
	p.theirs = []*os.File{in, out, errOut}
	return p, nil
}

func (p *process) closeFiles(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

// Start starts the process. A binary that was just written may be held open by a child that another thread is forking: that passes.
func (p *process) Start(ctx context.Context) error {
	err := p.spawner.start(p.cmd)
	for n := 0; errors.Is(err, syscall.ETXTBSY) && n < 20 && ctx.Err() == nil; n++ {
		time.Sleep(25 * time.Millisecond)
		again := exec.Command(p.cmd.Path) //nolint:noctx // as above
		again.Env, again.Dir, again.SysProcAttr = p.cmd.Env, p.cmd.Dir, p.cmd.SysProcAttr
		again.Stdin, again.Stdout, again.Stderr = p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr
		p.cmd = again
		err = p.spawner.start(p.cmd)
	}
	p.closeFiles(p.theirs...)
	if err != nil {
		p.closeFiles(p.stdin, p.stdout, p.stderr)
		p.err = err
		close(p.exited)
		return err
	}
	p.pid.Store(int64(p.cmd.Process.Pid))
	go p.reap()
	return nil
}

// drain is how long what a dead process wrote may take to be read.
const drain = 2 * time.Second

// reap waits for the process's end, and ends with it what it left in its group.
func (p *process) reap() {
	state, err := p.cmd.Process.Wait()
	if err == nil && !state.Success() {
		err = errors.New(state.String())
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // mostly there is nothing left
	p.err = err
	p.stdin.Close()
	close(p.exited)
	time.AfterFunc(drain, func() { p.closeFiles(p.stdout, p.stderr) }) // a child that left the group may hold the pipes
}

// Wait implements runner.Runner.
func (p *process) Wait(ctx context.Context) error {
	select {
	case <-p.exited:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Kill implements runner.Runner.
func (p *process) Kill(context.Context) error { return p.killGroup() }

// killGroup kills the process and its group.
func (p *process) killGroup() error {
	pid := int(p.pid.Load())
	if pid == 0 {
		return nil
	}
	select {
	case <-p.exited:
		return nil
	default:
	}
	if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// terminate asks the process to end.
func (p *process) terminate() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
}

// Stdout implements runner.Runner.
func (p *process) Stdout() io.ReadCloser { return p.stdout }

// Stderr implements runner.Runner.
func (p *process) Stderr() io.ReadCloser { return p.stderr }

// Name implements runner.Runner.
func (p *process) Name() string { return p.cmd.Path }

// ID implements runner.Runner.
func (p *process) ID() string {
	pid := p.pid.Load()
	if pid == 0 {
		return ""
	}
	return strconv.FormatInt(pid, 10)
}

// Diagnose implements runner.Runner.
func (p *process) Diagnose(context.Context) string {
	return "Is it a provider of ContainerPub, made for this machine? What it wrote is in the log."
}

// PluginToHost implements runner.Runner.
func (p *process) PluginToHost(network, addr string) (string, string, error) {
	return network, addr, nil
}

// HostToPlugin implements runner.Runner.
func (p *process) HostToPlugin(network, addr string) (string, string, error) {
	return network, addr, nil
}
