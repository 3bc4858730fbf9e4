package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidegate/tidegate/dynamo"
)

// tableMetrics show what a table costs, by what requests were sent for. See
// dynamo.Units for what is counted.
type tableMetrics struct {
	store *dynamo.Store
	// The series, each with how its value is read.
	series []tableSeries
}

type tableSeries struct {
	description *prometheus.Desc
	value       func(dynamo.Units) float64
}

func newTableMetrics(store *dynamo.Store) *tableMetrics {
	m := &tableMetrics{store: store}
	add := func(name, help string, value func(dynamo.Units) float64) {
		m.series = append(m.series, tableSeries{prometheus.NewDesc("tidegate_store_"+name, help, []string{"op"}, nil), value})
	}
	add("requests_total", "Requests sent to DynamoDB, repeated ones included.", func(u dynamo.Units) float64 { return float64(u.Calls) })
	add("repeated_total", "Requests to DynamoDB that repeated another.", func(u dynamo.Units) float64 { return float64(u.Retries) })
	add("throttled_total", "Requests that DynamoDB had no capacity for.", func(u dynamo.Units) float64 { return float64(u.Throttled) })
	add("unmet_total", "Conditional writes whose condition did not hold.", func(u dynamo.Units) float64 { return float64(u.Unmet) })
	add("failed_total", "Requests to DynamoDB that failed otherwise.", func(u dynamo.Units) float64 { return float64(u.Failed) })
	add("read_units_total", "Read capacity units consumed.", func(u dynamo.Units) float64 { return u.Read })
	add("write_units_total", "Write capacity units consumed, those of conditions that did not hold included.", func(u dynamo.Units) float64 { return u.Write })
	return m
}

// Describe implements prometheus.Collector.
func (m *tableMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, s := range m.series {
		out <- s.description
	}
}

// Collect implements prometheus.Collector.
func (m *tableMetrics) Collect(out chan<- prometheus.Metric) {
	for op, units := range m.store.Units() {
		for _, s := range m.series {
			out <- prometheus.MustNewConstMetric(s.description, prometheus.CounterValue, s.value(units), string(op))
		}
	}
}
