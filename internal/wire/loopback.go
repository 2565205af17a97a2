package wire

import (
	"context"
	"fmt"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/containerpub/cpub/sdk"
)

// Loopback serves the provider in this process, in go-plugin's test mode, and gives a client of it: for tests, everything that is
// said goes over gRPC. The returned function ends both; it does not fail.
func Loopback(p sdk.Provider) (*Client, func(), error) {
	server, err := NewServer(p)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	attach, closed := make(chan *plugin.ReattachConfig, 1), make(chan struct{})
	go plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  Handshake(),
		VersionedPlugins: Plugins(server),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, ServerOptions()...)...)
		},
		Logger: hclog.NewNullLogger(),
		Test:   &plugin.ServeTestConfig{Context: ctx, ReattachConfigCh: attach, CloseCh: closed},
	})
	var config *plugin.ReattachConfig
	select {
	case config = <-attach:
	case <-closed:
		cancel()
		return nil, nil, fmt.Errorf("go-plugin could not serve the provider")
	}
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: Handshake(), Plugins: Plugins(nil)[ProtocolVersion], Reattach: config,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, GRPCDialOptions: DialOptions(), Logger: hclog.NewNullLogger(),
	})
	stop := func() {
		client.Kill()
		cancel()
		<-closed
	}
	protocol, err := client.Client()
	if err != nil {
		stop()
		return nil, nil, fmt.Errorf("connecting to the provider: %w", err)
	}
	c, err := Dispense(protocol)
	if err != nil {
		stop()
		return nil, nil, err
	}
	return c, stop, nil
}
