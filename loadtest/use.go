package loadtest

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// StoreUse is what gateways used of their store, by their own metrics. What a
// gateway did between the last look and being killed is missing.
type StoreUse struct {
	// Requests were sent; Failed of them, Throttled ones included, had no effect that
	// is known of, and Unmet ones found their condition not met.
	Requests  float64 `json:"requests"`
	Failed    float64 `json:"failed"`
	Throttled float64 `json:"throttled"`
	Unmet     float64 `json:"unmet"`
	// WriteUnits and ReadUnits are consumed capacity, where the store has such a
	// thing; AppendUnits are the write units of the log alone.
	WriteUnits  float64 `json:"write_units"`
	AppendUnits float64 `json:"append_units"`
	ReadUnits   float64 `json:"read_units"`
	// Retries were made by gateways, Races lost to other gateways, and HandedOver
	// mutations handed to the winner.
	Retries    float64 `json:"retries"`
	Races      float64 `json:"races"`
	HandedOver float64 `json:"handed_over"`
}

// add adds another gateway's use.
func (u *StoreUse) add(o StoreUse) {
	u.Requests += o.Requests
	u.Failed += o.Failed
	u.Throttled += o.Throttled
	u.Unmet += o.Unmet
	u.WriteUnits += o.WriteUnits
	u.AppendUnits += o.AppendUnits
	u.ReadUnits += o.ReadUnits
	u.Retries += o.Retries
	u.Races += o.Races
	u.HandedOver += o.HandedOver
}

// text says it in a line, for so many accepted mutations.
func (u *StoreUse) text(mutations int) string {
	text := fmt.Sprintf("%.0f requests, %.0f failed; %.0f retries, %.0f races, %.0f mutations handed over", u.Requests, u.Failed, u.Retries, u.Races, u.HandedOver)
	if u.WriteUnits > 0 && mutations > 0 {
		text += fmt.Sprintf("; %.1f write units (%.3f a mutation, %.3f of them the log), %.1f read units",
			u.WriteUnits, u.WriteUnits/float64(mutations), u.AppendUnits/float64(mutations), u.ReadUnits)
	}
	return text
}

// scrape reads a gateway's metrics; nothing, if it does not answer.
func scrape(address string) StoreUse {
	web := http.Client{Timeout: 2 * time.Second}
	response, err := web.Get("http://" + address + "/metrics")
	if err != nil {
		return StoreUse{}
	}
	defer response.Body.Close()
	return parseUse(response.Body)
}

// parseUse reads the metrics' text format.
func parseUse(r io.Reader) (u StoreUse) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		series, text, _ := strings.Cut(lines.Text(), " ")
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			continue // a comment
		}
		name, labels, _ := strings.Cut(series, "{")
		switch name {
		case "tidegate_store_requests_total":
			u.Requests += value
		case "tidegate_store_failed_total":
			u.Failed += value
		case "tidegate_store_throttled_total":
			u.Failed += value
			u.Throttled += value
		case "tidegate_store_unmet_total":
			u.Unmet += value
		case "tidegate_store_write_units_total":
			u.WriteUnits += value
			if strings.Contains(labels, `"append"`) {
				u.AppendUnits += value
			}
		case "tidegate_store_read_units_total":
			u.ReadUnits += value
		case "tidegate_append_retries_total":
			if strings.Contains(labels, `"taken"`) {
				u.Races += value
			} else {
				u.Retries += value
			}
		case "tidegate_mutations_handed_over_total":
			if strings.Contains(labels, `"sent"`) {
				u.HandedOver += value
			}
		}
	}
	return u
}
