package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os/exec"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/containerpub/cpub/internal/wire"
)

// session is a provider that runs and answers.
type session struct {
	*wire.Client

	plugin *plugin.Client
	proc   *process      // nil for one that somebody else started
	exited chan struct{} // closed when it has ended
	stop   time.Duration
}

// launcher gives a running provider.
type launcher func(ctx context.Context) (*session, error)

// starter launches a binary in a process of its own.
func (h *Host) starter(binary string, env map[string]string, log *slog.Logger) launcher {
	return func(ctx context.Context) (*session, error) {
		return launch(ctx, launchOptions{
			binary: binary, env: env, log: log, spawner: h.spawner, sockets: h.rooms.sockets.Dir(), times: h.opts.times,
		})
	}
}

type launchOptions struct {
	binary  string
	env     map[string]string
	log     *slog.Logger
	spawner *spawner
	sockets string
	times   times
}

func launch(ctx context.Context, o launchOptions) (*session, error) {
	pair, err := wire.NewPair()
	if err != nil {
		return nil, err
	}
	var proc atomic.Pointer[process]
	defer context.AfterFunc(ctx, func() { // a provider that is slow to start does not keep its host from ending
		if p := proc.Load(); p != nil {
			_ = p.Kill(ctx)
		}
	})()
	config := clientConfig(o.log, o.times)
	config.TLSConfig = pair.HostTLS()
	config.UnixSocketConfig = &plugin.UnixSocketConfig{TempDir: o.sockets}
	config.RunnerFunc = func(_ hclog.Logger, cmd *exec.Cmd, _ string) (runner.Runner, error) {
		var env []string
		for _, name := range slices.Sorted(maps.Keys(o.env)) {
			env = append(env, name+"="+o.env[name])
		}
		env = append(env, cmd.Env...) // the protocol's own win
		env = append(env, wire.EnvClientCert+"="+string(pair.PEM()), wire.EnvWatchStdin+"=1")
		p, err := newProcess(o.spawner, o.binary, env)
		proc.Store(p)
		return p, err
	}
	client := plugin.NewClient(config)
	s, err := connect(ctx, client, o.times)
	if err != nil {
		if p := proc.Load(); p != nil {
			_ = p.Kill(ctx) // so that Kill below does not wait for a goodbye
		}
		client.Kill()
		return nil, fmt.Errorf("starting the provider: %w", err)
	}
	s.proc = proc.Load()
	s.exited = s.proc.exited
	return s, nil
}

func clientConfig(log *slog.Logger, t times) *plugin.ClientConfig {
	return &plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.Plugins(nil),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		SkipHostEnv:      true,
		StartTimeout:     t.start,
		Logger:           hclog.NewNullLogger(),
		Stderr:           newLineLog(log, "stderr"),
		SyncStdout:       newLineLog(log, "stdout"),
		SyncStderr:       newLineLog(log, "stderr"),
		GRPCDialOptions:  wire.DialOptions(),
	}
}

// connect starts what the client is for. After an error whoever called kills the client.
func connect(ctx context.Context, client *plugin.Client, t times) (*session, error) {
	protocol, err := client.Client() // bounded by the client's StartTimeout
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	c, err := wire.Dispense(protocol)
	if err != nil {
		return nil, err
	}
	return &session{Client: c, plugin: client, stop: t.stop}, nil
}

// attacher gives a provider that somebody else started, over a socket of theirs.
func (h *Host) attacher(r wire.Reattach, log *slog.Logger) launcher {
	return func(ctx context.Context) (*session, error) {
		addr, err := reattachAddr(r)
		if err != nil {
			return nil, err
		}
		config := clientConfig(log, h.opts.times)
		config.Plugins, config.VersionedPlugins = config.VersionedPlugins[wire.ProtocolVersion], nil
		config.SkipHostEnv = false
		config.Reattach = &plugin.ReattachConfig{
			Protocol: plugin.ProtocolGRPC, ProtocolVersion: r.ProtocolVersion, Addr: addr, Pid: r.PID, Test: true,
		}
		client := plugin.NewClient(config)
		s, err := connect(ctx, client, h.opts.times)
		if err != nil {
			client.Kill()
			return nil, fmt.Errorf("attaching to the provider of %s: %w", wire.EnvReattach, err)
		}
		s.exited = make(chan struct{})
		go s.watchAttached(h.closing) //nolint:contextcheck // it lives as long as the host
		return s, nil
	}
}

func reattachAddr(r wire.Reattach) (net.Addr, error) {
	if r.Network == "unix" {
		return net.ResolveUnixAddr(r.Network, r.Address)
	}
	return net.ResolveTCPAddr(r.Network, r.Address)
}

// watchAttached closes exited when a process that is not our child has ended.
func (s *session) watchAttached(ctx context.Context) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for !s.plugin.Exited() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
	close(s.exited)
}

func (s *session) ended() bool {
	select {
	case <-s.exited:
		return true
	default:
		return false
	}
}

// kill ends the process at once. One that somebody else started goes on.
func (s *session) kill() {
	if s.proc != nil {
		_ = s.proc.killGroup() // fails for one that has ended
	}
}

// end asks the process to end, kills it where it does not, and lets go of everything.
func (s *session) end() {
	if s.proc != nil {
		s.proc.terminate()
		select {
		case <-s.exited:
		case <-time.After(s.stop):
			s.kill()
			<-s.exited
		}
	}
	s.plugin.Kill()
}

// how tells how the process ended; after exited.
func (s *session) how() error {
	if s.proc != nil && s.proc.err != nil {
		return s.proc.err
	}
	return errors.New("it ended")
}
