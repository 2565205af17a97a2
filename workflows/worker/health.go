package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	tclient "go.temporal.io/sdk/client"
)

// health serves /healthz (the process lives), /readyz (it polls, and Temporal answers) and /metrics.
type health struct {
	mu       sync.Mutex
	check    func(context.Context) error // nil: not ready
	server   *http.Server
	registry *prometheus.Registry
}

// startHealth listens at the address; empty: nowhere.
func startHealth(ctx context.Context, address string, l *slog.Logger) (*health, error) {
	h := &health{}
	if address == "" {
		return h, nil
	}
	h.registry = prometheus.NewRegistry()
	h.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", h.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(h.registry, promhttp.HandlerOpts{}))
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for health and metrics: %w", err)
	}
	h.server = &http.Server{Handler: mux, ReadHeaderTimeout: checkTime}
	go func() {
		if err := h.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			l.Error("serving health and metrics", "error", err)
		}
	}()
	l.Info("health, readiness and metrics", "address", listener.Addr().String())
	return h, nil
}

// ready says how readiness is looked at; nil: not ready.
func (h *health) ready(check func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.check = check
}

func (h *health) readyz(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	check := h.check
	h.mu.Unlock()
	err := errors.New("the worker is starting, or stopping")
	if check != nil {
		err = check(r.Context())
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// metrics gives Temporal's SDK where to count, unless it has something already.
func (h *health) metrics(given tclient.MetricsHandler) tclient.MetricsHandler {
	if given != nil || h.registry == nil {
		return given
	}
	m := newMetrics()
	h.registry.MustRegister(m)
	return m.handler(nil)
}

// closeTime is how long requests under way may take at the end.
const closeTime = time.Second

func (h *health) close(ctx context.Context) {
	if h.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	_ = h.server.Shutdown(ctx) // what is still open after that time is cut off with the process
}
