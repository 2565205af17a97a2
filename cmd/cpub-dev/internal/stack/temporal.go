package stack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

// clusterName is the name under which the server knows itself. It stands in
// the database, and so must not change.
const clusterName = "active"

// temporalOptions is what the Temporal server and its UI need to know.
type temporalOptions struct {
	folder    *folder
	frontend  address
	ui        address
	internal  [3]address
	namespace string
	failed    func(error)
}

// startTemporal starts the server on its database in the folder, then its UI,
// and returns when both answer. What is returned stops whatever was started,
// also beside an error.
func startTemporal(ctx context.Context, opts temporalOptions) (func(context.Context) error, error) {
	sql, err := openDatabase(opts.folder.join("temporal.db"), opts.namespace)
	if err != nil {
		return nil, err
	}
	fatal := make(chan error, 1)
	logger := temporalLogger{
		log: slog.New(slog.NewJSONHandler(opts.folder.log, &slog.HandlerOptions{Level: slog.LevelWarn})),
		fatal: func(err error) {
			select {
			case fatal <- err:
			default:
			}
			opts.failed(err)
		},
	}
	server, err := runTemporal(ctx, serverConfig(opts, sql), logger, fatal)
	if err != nil {
		return nil, err
	}
	stopServer := func(ctx context.Context) error { return within(ctx, server.Stop) }
	if err := awaitTemporal(ctx, opts.frontend.String(), opts.namespace, fatal); err != nil {
		return stopServer, err
	}
	stopUI, err := startUI(ctx, opts)
	return func(ctx context.Context) error { return errors.Join(stopUI(ctx), stopServer(ctx)) }, err
}

// runTemporal makes and starts the server, on a goroutine of its own because
// a fatal log message ends the goroutine that it comes from.
func runTemporal(ctx context.Context, conf *config.Config, logger temporalLogger, fatal <-chan error) (temporal.Server, error) {
	type outcome struct {
		server temporal.Server
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		server, err := newTemporal(conf, logger)
		if err == nil {
			err = server.Start()
		}
		done <- outcome{server, err}
	}()
	select {
	case o := <-done:
		return o.server, o.err
	case err := <-fatal:
		return nil, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// newTemporal builds the server from its configuration. All four services run
// in this process, and anybody who reaches the port may call them.
func newTemporal(conf *config.Config, logger temporalLogger) (temporal.Server, error) {
	authorizer, err := authorization.GetAuthorizerFromConfig(&conf.Global.Authorization)
	if err != nil {
		return nil, fmt.Errorf("making the authorizer: %w", err)
	}
	claims, err := authorization.GetClaimMapperFromConfig(&conf.Global.Authorization, logger)
	if err != nil {
		return nil, fmt.Errorf("making the claim mapper: %w", err)
	}
	hosts := map[primitives.ServiceName]static.Hosts{}
	for name, service := range conf.Services {
		at := address{service.RPC.BindOnIP, service.RPC.GRPCPort}
		hosts[primitives.ServiceName(name)] = static.SingleLocalHost(at.String())
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(conf),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorizer),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return claims }),
		temporal.WithDynamicConfigClient(dynamicConfig()),
	)
	if err != nil {
		return nil, fmt.Errorf("making the server: %w", err)
	}
	return server, nil
}

// dynamicConfig sets what the server's defaults, made for clusters, get wrong
// for one developer. A queue that is polled 20 times a second makes every
// dispatch wait for the next tick; with 2000 it is immediate.
func dynamicConfig() dynamicconfig.StaticClient {
	const pollsPerSecond = 2000
	return dynamicconfig.StaticClient{
		dynamicconfig.TransferProcessorMaxPollRPS.Key():                  pollsPerSecond,
		dynamicconfig.TimerProcessorMaxPollRPS.Key():                     pollsPerSecond,
		dynamicconfig.VisibilityProcessorMaxPollRPS.Key():                pollsPerSecond,
		dynamicconfig.OutboundProcessorMaxPollRPS.Key():                  pollsPerSecond,
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key():                 8192,
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 100,
	}
}

// serverConfig is the server's static configuration: one history shard, static
// membership, the four services on loopback ports.
func serverConfig(opts temporalOptions, sql *config.SQL) *config.Config {
	const store = "sqlite"
	conf := &config.Config{
		Persistence: config.Persistence{
			DefaultStore:     store,
			VisibilityStore:  store,
			NumHistoryShards: 1,
			DataStores:       map[string]config.DataStore{store: {SQL: sql}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{clusterName: {
				Enabled:                true,
				InitialFailoverVersion: 1,
				RPCAddress:             opts.frontend.String(),
				ClusterID:              opts.folder.identity.ClusterID,
			}},
		},
		Services: map[string]config.Service{
			string(primitives.FrontendService): listenOn(opts.frontend),
			string(primitives.HistoryService):  listenOn(opts.internal[0]),
			string(primitives.MatchingService): listenOn(opts.internal[1]),
			string(primitives.WorkerService):   listenOn(opts.internal[2]),
		},
	}
	conf.Global.Membership.MaxJoinDuration = 30 * time.Second
	conf.Global.Membership.BroadcastAddress = opts.frontend.host
	conf.DCRedirectionPolicy.Policy = "noop"
	conf.PublicClient.HostPort = opts.frontend.String()
	conf.Archival.History.State = "disabled"
	conf.Archival.Visibility.State = "disabled"
	conf.NamespaceDefaults.Archival.History.State = "disabled"
	conf.NamespaceDefaults.Archival.Visibility.State = "disabled"
	return conf
}

// listenOn configures one service's gRPC listener.
func listenOn(a address) config.Service {
	return config.Service{RPC: config.RPC{GRPCPort: a.port, BindOnIP: a.host}}
}

// within calls stop, which knows no context, and waits no longer than ctx.
func within(ctx context.Context, stop func() error) error {
	done := make(chan error, 1)
	go func() { done <- stop() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
