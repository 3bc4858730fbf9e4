package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidegate/tidegate/dynamo"
)

// tableMetrics show what a table costs, by what requests were sent for. See
// dynamo.Units for what is counted. They also say how often items were met that
// somebody else wrote.
type tableMetrics struct {
	store tableCounts
	// foreign is the series of such items.
	foreign *prometheus.Desc
	// The series, each with how its value is read.
	series []tableSeries
}

// tableCounts is what a dynamo.Store counts.
type tableCounts interface {
	Units() map[dynamo.Operation]dynamo.Units
	Reports() (kept, remade uint64)
}

type tableSeries struct {
	description *prometheus.Desc
	value       func(dynamo.Units) float64
}

func newTableMetrics(store tableCounts) *tableMetrics {
	m := &tableMetrics{store: store, foreign: prometheus.NewDesc("tidegate_store_foreign_total",
		"Times an item was met that somebody else wrote, by whether all of ours stands beside it; else it is made again from the log, or is damage. The log names key and attributes.",
		[]string{"kept"}, nil)}
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
	out <- m.foreign
	for _, s := range m.series {
		out <- s.description
	}
}

// Collect implements prometheus.Collector.
func (m *tableMetrics) Collect(out chan<- prometheus.Metric) {
	kept, remade := m.store.Reports()
	out <- prometheus.MustNewConstMetric(m.foreign, prometheus.CounterValue, float64(kept), "yes")
	out <- prometheus.MustNewConstMetric(m.foreign, prometheus.CounterValue, float64(remade), "no")
	for op, units := range m.store.Units() {
		for _, s := range m.series {
			out <- prometheus.MustNewConstMetric(s.description, prometheus.CounterValue, s.value(units), string(op))
		}
	}
}
