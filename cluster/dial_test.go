package cluster_test

import (
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/tidegate/tidegate/cluster"
)

// dial makes a gateway's end, and ends it with the test.
func dial(t *testing.T, opt cluster.DialOptions) *cluster.External {
	t.Helper()
	opt.Name = "gateway"
	bus, err := cluster.Dial(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bus.Close() })
	return bus
}

// TestServerComesLater starts gateways before their NATS server.
func TestServerComesLater(t *testing.T) {
	address := unused(t)
	var log journal
	first := dial(t, cluster.DialOptions{Servers: []string{"nats://" + address}, Log: slog.New(&log)})
	second := dial(t, cluster.DialOptions{Servers: []string{"nats://" + address}})
	if first.Connected() {
		t.Error("connected to a server that is not there")
	}
	heard := make(chan []byte, 1)
	if _, err := first.Subscribe("early", func(data []byte) { heard <- data }); err != nil {
		t.Fatal(err)
	}
	await(t, "it says why", func() bool { return strings.Contains(first.Status().Trouble, "refused") })
	second.Publish("early", []byte("lost"))

	host, port, _ := net.SplitHostPort(address)
	natsServer(t, func(o *server.Options) { o.Host = host; o.Port, _ = strconv.Atoi(port) })
	hears(t, first, second)
	await(t, "a subscription made before holds", func() bool {
		second.Publish("early", []byte("heard"))
		select {
		case data := <-heard:
			if string(data) != "heard" {
				t.Errorf("it heard %q", data)
			}
			return true
		default:
			return false
		}
	})
	if status := first.Status(); status.Trouble != "" || !status.Connected {
		t.Errorf("once connected: %v", status)
	}
}

// TestCredentials lets a NATS server ask who comes.
func TestCredentials(t *testing.T) {
	certificates := newAuthority(t)
	s := natsServer(t, func(o *server.Options) {
		o.Username, o.Password = "gateway", "correct horse"
		o.TLSConfig = certificates.config(t, "127.0.0.1")
	})
	var log journal
	opt := cluster.DialOptions{TLS: certificates.config(t, "127.0.0.1"), Log: slog.New(&log)}
	opt.Servers = []string{"tls://gateway:correct%20horse@" + s.Addr().String()}
	right, other := dial(t, opt), dial(t, opt)
	hears(t, right, other)

	opt.Servers = []string{"tls://gateway:battery@" + s.Addr().String()}
	wrong := dial(t, opt)
	await(t, "the wrong one is told", func() bool {
		return strings.Contains(strings.ToLower(wrong.Status().Trouble), "authorization violation")
	})
	if wrong.Connected() {
		t.Error("a gateway with a wrong password is connected")
	}
	opt.Servers, opt.TLS = []string{"tls://gateway:correct%20horse@" + s.Addr().String()}, nil
	distrusting := dial(t, opt)
	await(t, "a certificate of nobody's is not taken", func() bool { return strings.Contains(distrusting.Status().Trouble, "certificate") })
	for _, line := range log.all() {
		if strings.Contains(line, "battery") || strings.Contains(line, "horse") {
			t.Errorf("the log has a password in it: %s", line)
		}
	}
}

// TestFleetsApart lets two fleets use one server.
func TestFleetsApart(t *testing.T) {
	servers := []string{"nats://" + natsServer(t, nil).Addr().String()}
	one, other := dial(t, cluster.DialOptions{Servers: servers}), dial(t, cluster.DialOptions{Servers: servers})
	stranger := dial(t, cluster.DialOptions{Servers: servers, Fleet: "staging"})
	friend := dial(t, cluster.DialOptions{Servers: servers, Fleet: "staging"})
	heard, overheard := make(chan struct{}), make(chan struct{})
	var once, twice sync.Once
	if _, err := stranger.Subscribe("test", func(data []byte) {
		if string(data) == "friend" {
			once.Do(func() { close(heard) })
		} else {
			twice.Do(func() { close(overheard) })
		}
	}); err != nil {
		t.Fatal(err)
	}
	hears(t, one, other)
	hears(t, other, one)
	// What comes after the others' shows that theirs did not come.
	await(t, "the stranger hears its friend", func() bool {
		other.Publish("test", nil)
		friend.Publish("test", []byte("friend"))
		select {
		case <-heard:
			return true
		default:
			return false
		}
	})
	select {
	case <-overheard:
		t.Error("a gateway hears another fleet")
	default:
	}
}

func TestDialErrors(t *testing.T) {
	for _, c := range []struct {
		name    string
		servers []string
		says    []string
	}{
		{"no server", nil, []string{"no NATS server"}},
		{"no URL", []string{"127.0.0.1:4222"}, []string{"nats://HOST:PORT"}},
		{"another scheme", []string{"https://nats.example.com"}, []string{"https://nats.example.com", "nats://HOST:PORT", "tls://HOST:PORT"}},
		{"no host", []string{"nats://"}, []string{"nats://HOST:PORT"}},
		{"a password in what is refused", []string{"http://u:hunter2@h"}, []string{"http://u:xxxxx@h"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bus, err := cluster.Dial(cluster.DialOptions{Name: "gateway", Servers: c.servers})
			if err == nil {
				bus.Close()
				t.Fatal("it starts")
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("it says %q, and not %q", err, want)
				}
			}
		})
	}
	_, err := cluster.Dial(cluster.DialOptions{Name: "gateway", Servers: []string{"nats://127.0.0.1:1"}, Credentials: "none.creds"})
	if err == nil || !strings.Contains(err.Error(), "none.creds") {
		t.Errorf("without its file of credentials: %v", err)
	}
}
