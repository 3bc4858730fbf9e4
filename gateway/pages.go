package gateway

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tidegate/tidegate/access"
	"github.com/tidegate/tidegate/protocol"
)

//go:embed status.html
var statusText string

//go:embed status.css
var statusStyle string

var statusPage = template.Must(template.New("status").Parse(statusText))

// routes returns what the gateway answers over HTTP.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+protocol.SyncPath, s.serveSync)
	mux.HandleFunc("GET /status", s.serveStatus)
	if s.demo != nil {
		s.demo.register(mux)
	} else {
		mux.Handle("GET /{$}", http.RedirectHandler("/status", http.StatusFound))
	}
	mux.HandleFunc("GET /status.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Header().Set("Cache-Control", "max-age=3600")
		fmt.Fprint(w, statusStyle)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.serveReady)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'")
		if s.cfg.Verifier.Development() {
			// A page of another site whose name resolves to this machine must not read
			// anything here.
			if err := access.CheckLocalHost(r.Host); err != nil {
				http.Error(w, err.Error(), http.StatusForbidden)
				return
			}
		}
		mux.ServeHTTP(w, r)
	})
}

// serveSync answers at the sync endpoint.
func (s *Server) serveSync(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		http.Error(w, "This is where WebSockets connect, with the subprotocol "+protocol.Subprotocol+".", http.StatusUpgradeRequired)
		return
	}
	s.serveWebSocket(w, r)
}

// offersSubprotocol reports whether a handshake offers to speak our protocol.
func offersSubprotocol(r *http.Request) bool {
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for offer := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(offer) == protocol.Subprotocol {
				return true
			}
		}
	}
	return false
}

// serveReady says whether the gateway can do its work.
func (s *Server) serveReady(w http.ResponseWriter, r *http.Request) {
	if why := s.notReady(r); why != "" {
		http.Error(w, "not ready: "+why, http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

// notReady returns why the gateway cannot do its work, or "".
func (s *Server) notReady(r *http.Request) string {
	s.mu.Lock()
	draining := s.draining
	s.mu.Unlock()
	if draining {
		return "the gateway is going away"
	}
	return s.health.check(r.Context())
}

// serveStatus serves the page at /status.
func (s *Server) serveStatus(w http.ResponseWriter, r *http.Request) {
	scheme := "ws"
	if r.TLS != nil {
		scheme = "wss"
	}
	s.mu.Lock()
	connections, draining := len(s.connections), s.draining
	s.mu.Unlock()
	schema := "none: every collection is allowed, and the later edit wins"
	if s.cfg.Schema != nil {
		schema = fmt.Sprintf("version %d", s.cfg.Schema.Ref().Version)
	}
	bus := ""
	if s.cfg.Bus != nil {
		bus = "not connected: spaces are polled"
		if s.cfg.Bus.Connected() {
			bus = "connected"
		}
		if says, does := s.cfg.Bus.(fmt.Stringer); does {
			bus = says.String()
		}
	}
	notReady := s.notReady(r)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	err := statusPage.Execute(w, map[string]any{
		"Host":        r.Host,
		"Endpoint":    scheme + "://" + r.Host + protocol.SyncPath,
		"Subprotocol": protocol.Subprotocol,
		"Module":      "github.com/tidegate/tidegate",
		"Version":     s.cfg.Version,
		"Uptime":      time.Since(s.started).Round(time.Second).String(),
		"Connections": connections,
		"Spaces":      s.spaces.count(),
		"Schema":      schema,
		"Bus":         bus,
		"Demo":        s.demo != nil,
		"Development": s.cfg.Verifier.Development(),
		"Draining":    draining,
		"Ready":       notReady == "",
		"NotReady":    notReady,
	})
	if err != nil {
		s.cfg.Log.Debug("writing the status page", "error", err)
	}
}

// registerGauges registers what is counted elsewhere and asked for at a scrape.
func (s *Server) registerGauges() {
	m := s.metrics
	m.gauge("connections", "WebSocket connections that are open.", nil, func() float64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return float64(len(s.connections))
	})
	for state := range phases {
		m.gauge("sessions", "Connections by where they are in their life.",
			prometheus.Labels{"state": state.String()}, func() float64 { return float64(s.inPhase(state)) })
	}
	m.gauge("lagging_cursors", "Subscriptions whose device has not durably applied within 10 s what was head.", nil,
		func() float64 { return float64(s.lagging()) })
	m.gauge("open_spaces", "Spaces that are open.", nil, func() float64 { return float64(s.spaces.count()) })
	m.gauge("checkpoint_lag_commits", "Commits that opening the open space that is worst off would have to fold.", nil,
		s.spaces.checkpointLag)
	m.gauge("cut_off_spaces", "Open spaces that the store has not answered for some seconds: pushes to them are refused.", nil,
		func() float64 { return float64(s.outages.count()) })
	if bus := s.cfg.Bus; bus != nil {
		m.gauge("bus_connected", "1 if other gateways can be heard, as far as is known; else spaces are polled.", nil, func() float64 {
			if bus.Connected() {
				return 1
			}
			return 0
		})
		if counts, does := bus.(interface{ Lost() uint64 }); does {
			m.counterFunc("bus_lost_total", "Messages to other gateways that were not sent, and messages of theirs that came faster than they were taken.",
				func() float64 { return float64(counts.Lost()) })
		}
	}
	m.counterFunc("received_bytes_total", "Bytes read from WebSocket connections.",
		func() float64 { return float64(s.bytesIn.Load()) })
	m.counterFunc("sent_bytes_total", "Bytes written to WebSocket connections.",
		func() float64 { return float64(s.bytesOut.Load()) })
}

// inPhase counts the connections in a phase.
func (s *Server) inPhase(p phase) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.connections {
		if phase(c.phase.Load()) == p {
			n++
		}
	}
	return n
}

// lagging counts the subscriptions that lag.
func (s *Server) lagging() (n int) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.connections {
		c.mu.Lock()
		for _, subscription := range c.subscriptions {
			if subscription.lagging(now) {
				n++
			}
		}
		c.mu.Unlock()
	}
	return n
}
