package gateway

import (
	"fmt"
	"testing"
	"time"
)

// TestAddressLimits tells addresses apart as households, and forgets those that
// have been quiet.
func TestAddressLimits(t *testing.T) {
	l := newAddressLimits(Rate{PerSecond: 1, Burst: 2})
	now := time.Unix(1_800_000_000, 0)
	for _, step := range []struct {
		after  time.Duration
		remote string
		want   bool
	}{
		{0, "192.0.2.1:1000", true},
		{0, "192.0.2.1:1001", true},
		{0, "192.0.2.1:1002", false},
		{0, "192.0.2.2:1000", true},
		{0, "[2001:db8::1]:1000", true},
		{0, "[2001:db8::2]:1000", true},
		{0, "[2001:db8::3]:1000", false}, // the same /64
		{0, "[2001:db8:0:1::1]:1000", true},
		{0, "[::ffff:192.0.2.1]:1000", false}, // 192.0.2.1 in another dress
		{time.Second, "192.0.2.1:1003", true},
		{0, "192.0.2.1:1004", false},
		{0, "127.0.0.1:1000", true}, {0, "127.0.0.1:1000", true}, {0, "127.0.0.1:1000", true},
		{0, "[::1]:1000", true}, {0, "[::1]:1000", true}, {0, "[::1]:1000", true},
		{0, "a pipe", true},
	} {
		now = now.Add(step.after)
		if got := l.allow(step.remote, now); got != step.want {
			t.Errorf("%s after %v: allowed = %v, want %v", step.remote, step.after, got, step.want)
		}
	}
}

// TestAddressLimitsAreBounded fills the table and shows that strangers share a
// bucket until it has been swept.
func TestAddressLimitsAreBounded(t *testing.T) {
	l := newAddressLimits(Rate{PerSecond: 1, Burst: 1})
	now := time.Unix(1_800_000_000, 0)
	for i := range maxAddresses {
		l.allow(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255), now)
	}
	if !l.allow("192.0.2.1:1", now) || l.allow("192.0.2.2:1", now) {
		t.Error("newcomers beyond the bound do not share one bucket")
	}
	if len(l.buckets) > maxAddresses {
		t.Errorf("%d addresses are remembered", len(l.buckets))
	}
	if !l.allow("192.0.2.3:1", now.Add(2*time.Second)) || len(l.buckets) != 1 {
		t.Errorf("after a quiet time %d addresses are still remembered", len(l.buckets))
	}
}

// TestNoLimit shows that a rate of zero switches a limit off.
func TestNoLimit(t *testing.T) {
	l := newAddressLimits(Rate{})
	bucket := Rate{}.limiter()
	for range 1000 {
		if !l.allow("192.0.2.1:1", time.Now()) || !bucket.Allow() {
			t.Fatal("a limit of 0 limits")
		}
	}
}
