package dynamo

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/tidegate/tidegate/internal/engine"
)

// dated answers with the date that it is told.
type dated struct {
	next http.RoundTripper
	date string
}

func (d dated) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := d.next.RoundTrip(r)
	if err == nil {
		response.Header.Del("Date")
		if d.date != "" {
			response.Header.Set("Date", d.date)
		}
	}
	return response, err
}

func TestNow(t *testing.T) {
	e := engine.Need(t, engine.Dynoxide)
	config := newTable(t, e)
	want := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
	config.Transport = dated{http.DefaultTransport, want.Format(http.TimeFormat)}
	if got, err := openStore(t, config).Now(t.Context()); err != nil || !got.Equal(want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	config.Transport = dated{http.DefaultTransport, ""}
	if _, err := openStore(t, config).Now(t.Context()); !errors.Is(err, errNoTime) {
		t.Errorf("without a date: %v", err)
	}
}
