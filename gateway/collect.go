package gateway

import "github.com/prometheus/client_golang/prometheus"

// Collect adds a collector to what /metrics serves: what a gateway's store or bus
// counts is known to who made it. The error is about names that are there already.
func (s *Server) Collect(c prometheus.Collector) error { return s.metrics.registry.Register(c) }
