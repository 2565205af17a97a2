package wire

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// The handshake. The cookie is no secret: it tells a provider that a host started it, not a person.
const (
	ProtocolVersion = 1
	CookieKey       = "CPUB_PROVIDER"
	CookieValue     = "4b1f0a52-87b3-4e0c-9a52-5e9c3c5f7d21"
)

// Variables of a provider's environment, beside go-plugin's own.
const (
	EnvClientCert = "PLUGIN_CLIENT_CERT" // the host's certificate, PEM
	EnvWatchStdin = "CPUB_WATCH_STDIN"   // "1": the host is gone when stdin ends
	EnvReattach   = "CPUB_REATTACH_PROVIDERS"
)

const (
	pluginName    = "provider"
	healthService = plugin.GRPCServiceName
)

// Handshake is what both ends give to go-plugin.
func Handshake() plugin.HandshakeConfig {
	return plugin.HandshakeConfig{ProtocolVersion: ProtocolVersion, MagicCookieKey: CookieKey, MagicCookieValue: CookieValue}
}

// Plugins are the protocol versions: of this server, or for a client where it is nil.
func Plugins(s *Server) map[int]plugin.PluginSet {
	return map[int]plugin.PluginSet{ProtocolVersion: {pluginName: &grpcPlugin{server: s}}}
}

// Dispense gives the client of a started go-plugin client.
func Dispense(p plugin.ClientProtocol) (*Client, error) {
	raw, err := p.Dispense(pluginName)
	if err != nil {
		return nil, err
	}
	c, ok := raw.(*Client)
	if !ok {
		return nil, errNoClient
	}
	return c, nil
}

type grpcPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	server *Server
}

// GRPCServer implements plugin.GRPCPlugin.
func (p *grpcPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	if p.server == nil {
		return errNoServer
	}
	p.server.Register(s)
	return nil
}

// GRPCClient implements plugin.GRPCPlugin.
func (p *grpcPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return NewClient(conn), nil
}
