package main

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tidegate/tidegate/dynamo"
)

// countedTable is a table that has seen something.
type countedTable struct{}

func (countedTable) Units() map[dynamo.Operation]dynamo.Units {
	return map[dynamo.Operation]dynamo.Units{dynamo.OpAppend: {
		Calls: 7, Retries: 1, Throttled: 2, Unmet: 3, Failed: 4, Read: 0.5, Write: 12.5,
	}}
}

func (countedTable) Reports() (kept, remade uint64) { return 5, 6 }

// TestTableMetrics reads what a table counts, as Prometheus does.
func TestTableMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	if err := registry.Register(newTableMetrics(countedTable{})); err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		`foreign_total{kept="yes"} 5`, `foreign_total{kept="no"} 6`,
		`requests_total{op="append"} 7`, `repeated_total{op="append"} 1`, `throttled_total{op="append"} 2`,
		`unmet_total{op="append"} 3`, `failed_total{op="append"} 4`,
		`read_units_total{op="append"} 0.5`, `write_units_total{op="append"} 12.5`,
	} {
		if !strings.Contains(answer.Body.String(), "\ntidegate_store_"+line+"\n") {
			t.Errorf("no %s in\n%s", line, answer.Body)
		}
	}
}
