package loadtest

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// Report is what a run found. Its JSON keys are stable; new ones may be added.
type Report struct {
	Scenario string `json:"scenario"`
	// OK is true if nothing was lost, doubled, skipped or diverged, and nothing
	// else was wrong.
	OK   bool   `json:"ok"`
	Seed uint64 `json:"seed"`
	// Devices and Records took part; Spaces is the number of spaces.
	Devices int `json:"devices"`
	Spaces  int `json:"spaces"`
	Records int `json:"records"`
	// Mutations were made; by their verdicts they were Applied, Merged, Superseded,
	// put as a question (Conflicts) or Rejected, in whole or in part. A mutation
	// counts once, by the worst that became of its ops.
	Mutations  int `json:"mutations"`
	Applied    int `json:"applied"`
	Merged     int `json:"merged"`
	Superseded int `json:"superseded"`
	Conflicts  int `json:"conflicts"`
	Rejected   int `json:"rejected"`
	// Untold took effect, but the answer that said how was lost, and there is no log
	// to look it up in.
	Untold int `json:"untold"`
	// Lost counts effects that were acknowledged and are missing, Duplicated those
	// that are there twice, Gaps the commits that a device was not sent, Diverged
	// the devices whose state is not the store's.
	Lost       int `json:"lost"`
	Duplicated int `json:"duplicated"`
	Gaps       int `json:"gaps"`
	Diverged   int `json:"diverged"`
	// Commits is the length of the logs, which mutations share.
	Commits int `json:"commits"`
	// ConflictsKept is the number of overwritten values that the logs keep.
	ConflictsKept int `json:"conflicts_kept"`
	// Oracle is true if the logs were read and the dumb oracle agreed with them.
	Oracle bool `json:"oracle"`
	// CheckedExactly is the number of records that were compared with what follows
	// from the scenario alone, whatever the timing.
	CheckedExactly int `json:"checked_exactly"`
	// Deliveries counts commits brought to devices, BytesOut all bytes that the
	// devices were sent.
	Deliveries       int64   `json:"deliveries"`
	DeliveriesPerS   float64 `json:"deliveries_per_s"`
	BytesOut         int64   `json:"bytes_out"`
	BytesPerDelivery float64 `json:"bytes_per_delivery"`
	// AckMS is from a mutation to its verdict, ConvergenceMS to the moment in which
	// the last connected device had it.
	AckMS         Quantiles `json:"ack_ms"`
	ConvergenceMS Quantiles `json:"convergence_ms"`
	DurationS     float64   `json:"duration_s"`
	// Connections were made; Cuts, DroppedAcks and Kills are the faults injected.
	Connections int64 `json:"connections"`
	Cuts        int64 `json:"cuts"`
	DroppedAcks int64 `json:"dropped_acks"`
	Kills       int   `json:"kills"`
	// Gateways were driven; of the own ones, Pauses were suspended, and LinkCuts cut
	// from the bus or the store. DrainS is how long it took from the end of all faults
	// until every device had everything.
	Gateways int     `json:"gateways"`
	Pauses   int     `json:"pauses"`
	LinkCuts int64   `json:"link_cuts"`
	DrainS   float64 `json:"drain_s"`
	// Store is what the own gateways say that they used of their store.
	Store StoreUse `json:"store"`
	// Failures says what was wrong, in words; the first few of each kind.
	Failures []string `json:"failures,omitempty"`
}

// failuresShown bounds Report.Failures.
const failuresShown = 20

// fail notes something that was wrong, once.
func (r *Report) fail(format string, args ...any) {
	if slices.Contains(r.Failures, fmt.Sprintf(format, args...)) {
		return
	}
	if len(r.Failures) < failuresShown {
		r.Failures = append(r.Failures, fmt.Sprintf(format, args...))
	} else if len(r.Failures) == failuresShown {
		r.Failures = append(r.Failures, "… and more")
	}
}

// finish derives what follows from the rest.
func (r *Report) finish(took time.Duration) {
	r.DurationS = took.Seconds()
	if r.DurationS > 0 {
		r.DeliveriesPerS = float64(r.Deliveries) / r.DurationS
	}
	if r.Deliveries > 0 {
		r.BytesPerDelivery = float64(r.BytesOut) / float64(r.Deliveries)
	}
	r.OK = r.Lost == 0 && r.Duplicated == 0 && r.Gaps == 0 && r.Diverged == 0 && len(r.Failures) == 0
}

// writeJSON writes the report to a file.
func (r *Report) writeJSON(name string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(data, '\n'), 0o644)
}

// print writes the report for people.
func (r *Report) print(w io.Writer) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-14s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(w, "%s: %s in %.1f s\n", r.Scenario, map[bool]string{true: "ok", false: "FAILED"}[r.OK], r.DurationS)
	line("made", "%d mutations by %d devices on %d records, %d commits", r.Mutations, r.Devices, r.Records, r.Commits)
	verdicts := fmt.Sprintf("%d applied, %d merged, %d superseded, %d conflicts, %d rejected", r.Applied, r.Merged, r.Superseded, r.Conflicts, r.Rejected)
	if r.Untold > 0 {
		verdicts += fmt.Sprintf(", %d took effect untold how", r.Untold)
	}
	line("verdicts", "%s", verdicts)
	line("wrong", "%d lost, %d duplicated, %d gaps, %d diverged", r.Lost, r.Duplicated, r.Gaps, r.Diverged)
	checked := fmt.Sprintf("%d records against the scenario alone", r.CheckedExactly)
	if r.Oracle {
		checked += fmt.Sprintf("; every verdict and record against the oracle; %d overwritten values kept", r.ConflictsKept)
	} else {
		checked += "; the oracle had no log to read"
	}
	line("checked", "%s", checked)
	line("delivered", "%d commits (%.0f/s), %s, %.0f bytes each", r.Deliveries, r.DeliveriesPerS, bytesText(r.BytesOut), r.BytesPerDelivery)
	line("ack", "%s", r.AckMS)
	line("convergence", "%s", r.ConvergenceMS)
	line("faults", "%d connections, %d cut, %d acks dropped; of %d gateways %d kills, %d pauses, %d times cut off; drained in %.1f s",
		r.Connections, r.Cuts, r.DroppedAcks, r.Gateways, r.Kills, r.Pauses, r.LinkCuts, r.DrainS)
	if r.Store != (StoreUse{}) {
		line("store", "%s", r.Store.text(r.Mutations-r.Rejected))
	}
	for _, f := range r.Failures {
		line("failure", "%s", strings.ReplaceAll(f, "\n", "\n"+strings.Repeat(" ", 17)))
	}
}

func (q Quantiles) String() string {
	return fmt.Sprintf("p50 %.1f ms, p99 %.1f ms, max %.1f ms", q.P50, q.P99, q.Max)
}

func bytesText(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}
