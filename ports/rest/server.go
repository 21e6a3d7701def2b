package rest

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Limits of a connection. Operations that take longer (imports, long polls)
// move their own deadlines.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 120 * time.Second
	maxHeaderBytes    = 16 << 10
)

// NewServer gives a server with every limit set, so that a slow or chatty
// client costs one connection for a bounded time. Handlers' contexts end with
// ctx, whose values they see; net/http's own complaints go to log.
func NewServer(ctx context.Context, addr string, handler http.Handler, log *slog.Logger) *http.Server {
	server := &http.Server{
		Addr:              addr,
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	if api, ok := handler.(*API); ok {
		server.RegisterOnShutdown(api.Drain) // Shutdown waits for streams, which wait for this
	}
	return server
}

// NewAdmin serves metrics and profiles. It asks for no token: bind it where
// only operators reach it.
func NewAdmin(metrics prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// extend moves the connection's deadlines for an operation that takes longer
// than others. A writer without deadlines (a test recorder) has none to move.
func extend(w http.ResponseWriter, now time.Time, d time.Duration) error {
	c := http.NewResponseController(w)
	for _, err := range []error{c.SetReadDeadline(now.Add(d)), c.SetWriteDeadline(now.Add(d))} {
		if err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
	}
	return nil
}
