package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/containerpub/cpub/internal/wire"
	"github.com/containerpub/cpub/sdk"
)

// debug serves whoever of this user attaches, until it is interrupted, and prints how. There is no TLS: the socket lies in a
// folder that only this user can enter.
func debug(server *wire.Server, info sdk.Info) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "cpub-debug-") // 0700
	if err != nil {
		return fmt.Errorf("making a folder for the socket: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv(plugin.EnvUnixSocketDir, dir); err != nil {
		return fmt.Errorf("naming the socket's folder: %w", err)
	}
	attach, closed := make(chan *plugin.ReattachConfig, 1), make(chan struct{})
	end := newEnd(server)
	go plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.Plugins(server),
		GRPCServer:       end.grpcServer,
		Logger:           hclog.NewNullLogger(),
		Test:             &plugin.ServeTestConfig{Context: ctx, ReattachConfigCh: attach, CloseCh: closed},
	})
	select {
	case config := <-attach:
		if err := printReattach(info.Name, config); err != nil {
			return err
		}
	case <-closed:
		return fmt.Errorf("the provider could not be served")
	}
	<-closed
	end.detach()
	return nil
}

func printReattach(name string, c *plugin.ReattachConfig) error {
	value, err := json.Marshal(map[string]wire.Reattach{name: {
		Network: c.Addr.Network(), Address: c.Addr.String(), PID: c.Pid, ProtocolVersion: c.ProtocolVersion,
	}})
	if err != nil {
		return fmt.Errorf("encoding how to attach: %w", err)
	}
	fmt.Printf("Provider %s serves. Start the worker with this in its environment, end the provider with Ctrl-C:\n\n\t%s='%s'\n\n",
		name, wire.EnvReattach, value)
	return nil
}
