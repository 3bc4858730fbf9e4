package loadtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestReportKeys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.json")
	r := &Report{Scenario: "edit", Deliveries: 10, BytesOut: 1000}
	r.finish(2 * time.Second)
	if err := r.writeJSON(file); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range strings.Fields(`scenario ok devices mutations applied merged superseded conflicts rejected lost
		duplicated gaps diverged deliveries deliveries_per_s bytes_out bytes_per_delivery ack_ms convergence_ms duration_s`) {
		if _, there := got[key]; !there {
			t.Errorf("the report has no %s", key)
		}
	}
	for _, key := range []string{"ack_ms", "convergence_ms"} {
		quantiles, _ := got[key].(map[string]any)
		for _, q := range []string{"p50", "p99", "max"} {
			if _, there := quantiles[q]; !there {
				t.Errorf("%s has no %s", key, q)
			}
		}
	}
	if got["deliveries_per_s"] != 5.0 || got["bytes_per_delivery"] != 100.0 || got["ok"] != true {
		t.Errorf("the rates are %v and %v, ok %v; want 5, 100 and true", got["deliveries_per_s"], got["bytes_per_delivery"], got["ok"])
	}
}

func TestReportIsNotOKIfAnythingWasWrong(t *testing.T) {
	for name, r := range map[string]*Report{
		"lost": {Lost: 1}, "duplicated": {Duplicated: 1}, "gaps": {Gaps: 1}, "diverged": {Diverged: 1}, "other": {Failures: []string{"x"}},
	} {
		if r.finish(time.Second); r.OK {
			t.Errorf("%s: ok", name)
		}
	}
}

func TestReportBoundsFailures(t *testing.T) {
	var r Report
	for i := range 100 {
		r.fail("failure %d", i/2)
	}
	if len(r.Failures) != failuresShown+1 || r.Failures[0] != "failure 0" || r.Failures[1] != "failure 1" {
		t.Errorf("the failures are %q", r.Failures)
	}
	var out strings.Builder
	r.print(&out)
	if !strings.Contains(out.String(), "failure 19") {
		t.Errorf("the report does not tell the failures:\n%s", out.String())
	}
}

func TestOptionsRefuse(t *testing.T) {
	for name, test := range map[string]struct {
		o    Options
		want string
	}{
		"no gateway":          {Options{}, "--self starts one, --url names one"},
		"two gateways":        {Options{Self: true, URL: "ws://h"}, "cannot be used together"},
		"another scheme":      {Options{URL: "ftp://h"}, "want ws://"},
		"no host":             {Options{URL: "ws://"}, "names no host"},
		"another's kill":      {Options{URL: "ws://h", KillEvery: 1}, "need --self"},
		"a negative interval": {Options{Self: true, KillEvery: -1}, "must not be negative"},
		"a fleet of files":    {Options{Self: true, Fleet: 2}, "share"},
		"a fleet of others":   {Options{URL: "ws://h", Fleet: 2}, "need --self"},
		"a bus for one":       {Options{Self: true, Bus: "nats://h:1"}, "--fleet"},
		"nothing to cut":      {Options{Self: true, CutEvery: 1}, "--cut-every needs"},
		"one bad gateway":     {Options{Gateways: []string{"ws://h", "ftp://h"}}, "want ws://"},
		"a space of our own":  {Options{Self: true, Space: "s"}, "--space is for --url"},
	} {
		if err := test.o.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: the error is %v, want one about %q", name, err, test.want)
		}
	}
	if err := (&Options{Self: true}).Validate(); err != nil {
		t.Error(err)
	}
}
