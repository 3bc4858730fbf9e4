package loadtest

import (
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/protocol"
)

func TestProxyBlocks(t *testing.T) {
	p, err := newProxy(echo(t), 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	passes := func() bool {
		c, err := net.Dial("tcp", p.address())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = c.Write([]byte("x"))
		_, err = io.ReadFull(c, make([]byte, 1))
		return err == nil
	}
	open, err := net.Dial("tcp", p.address())
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if !passes() {
		t.Fatal("it does not pass anything")
	}
	unblock := p.block()
	if _, err := open.Read(make([]byte, 1)); err == nil {
		t.Error("what was open outlived the block")
	}
	if passes() {
		t.Error("it passes while it is blocked")
	}
	unblock()
	if !passes() {
		t.Error("it does not pass afterwards")
	}
}

func TestStoreTarget(t *testing.T) {
	target, with, err := storeTarget("dynamodb://table?endpoint=http%3A%2F%2F127.0.0.1%3A8000&region=local")
	if err != nil || target != "127.0.0.1:8000" {
		t.Fatalf("%q, %v", target, err)
	}
	if got, _, err := storeTarget(with("127.0.0.1:9")); err != nil || got != "127.0.0.1:9" {
		t.Errorf("%q, %v", got, err)
	}
	if name := with("127.0.0.1:9"); !strings.HasPrefix(name, "dynamodb://table?") || !strings.Contains(name, "region=local") {
		t.Errorf("the store became %q", name)
	}
	for _, store := range []string{"", "file:x", "dynamodb://table", "dynamodb://table?endpoint=https://h:1"} {
		if _, _, err := storeTarget(store); err == nil {
			t.Errorf("%q has a way that can be cut", store)
		}
	}
}

func TestDialerGoesOn(t *testing.T) {
	d, err := newDialer([]string{"ws://a", "ws://b/x", "ws://c"}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for range 4 {
		address, _ := d.gateway()
		got = append(got, address)
	}
	if want := []string{"ws://b/x", "ws://c" + protocol.SyncPath, "ws://a" + protocol.SyncPath, "ws://b/x"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestParseUse(t *testing.T) {
	got := parseUse(strings.NewReader(`# HELP tidegate_store_requests_total Requests.
tidegate_store_requests_total{op="append"} 7
tidegate_store_requests_total{op="put"} 3
tidegate_store_write_units_total{op="append"} 7.5
tidegate_store_write_units_total{op="put"} 2
tidegate_store_read_units_total{op="log"} 1.5
tidegate_append_retries_total{reason="taken"} 2
tidegate_append_retries_total{reason="failed"} 4
go_goroutines 9
`))
	want := StoreUse{Requests: 10, WriteUnits: 9.5, AppendUnits: 7.5, ReadUnits: 1.5, Races: 2, Retries: 4}
	if got != want {
		t.Errorf("%+v", got)
	}
	if text := got.text(10); !strings.Contains(text, "0.950 a mutation") {
		t.Error(text)
	}
}
