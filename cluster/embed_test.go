package cluster_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/cluster"
)

// TestMesh shows that gateways find one another through one of them, and that
// one which goes away and comes back on its address is found again.
func TestMesh(t *testing.T) {
	first := embed(t, cluster.EmbedOptions{Name: "first", Secret: secret})
	known := []string{first.Address().String()}
	second := embed(t, cluster.EmbedOptions{Name: "second", Secret: secret, Peers: known})
	third := embed(t, cluster.EmbedOptions{Name: "third", Secret: secret, Peers: known})
	hears(t, second, third)
	hears(t, third, second)
	await(t, "the third knows both others", func() bool {
		return slices.Equal(third.Status().Peers, []string{"first", "second"})
	})

	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, "the second misses the first", func() bool { return slices.Equal(second.Status().Peers, []string{"third"}) })
	hears(t, second, third) // without the one that introduced them
	if !second.Connected() {
		t.Error("one of two is enough to be connected")
	}
	again := embed(t, cluster.EmbedOptions{Name: "first", Secret: secret, Listen: known[0]})
	hears(t, again, second)
	hears(t, third, again)
}

// TestLeftAlone tells one that is alone from one that was left.
func TestLeftAlone(t *testing.T) {
	first := embed(t, cluster.EmbedOptions{Name: "first", Secret: secret})
	if !first.Connected() {
		t.Error("a gateway alone is not connected")
	}
	second := embed(t, cluster.EmbedOptions{Name: "second", Secret: secret, Peers: []string{first.Address().String()}})
	hears(t, first, second)
	await(t, "the first sees the second", func() bool { return len(first.Status().Peers) == 1 })
	second.Close()
	await(t, "the first is left", func() bool { return !first.Connected() })
	third := embed(t, cluster.EmbedOptions{Name: "third", Secret: secret, Peers: []string{first.Address().String()}})
	hears(t, first, third)
	await(t, "the first is found", first.Connected)

	waiting := embed(t, cluster.EmbedOptions{Name: "waiting", Secret: secret, Peers: []string{unused(t)}})
	if waiting.Connected() {
		t.Error("a gateway whose peers are not there is connected")
	}
}

// unused returns an address that nobody listens on.
func unused(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// TestRefused lets gateways try to join that may not. Both sides say what is
// wrong, and nothing passes between them.
func TestRefused(t *testing.T) {
	certificates := newAuthority(t)
	for _, c := range []struct {
		name   string
		change func(*cluster.EmbedOptions)
		// what either side says
		says []string
	}{
		{"another secret", func(o *cluster.EmbedOptions) { o.Secret = bytes.Repeat([]byte("x"), 40) }, []string{"cluster secret"}},
		{"no secret", func(o *cluster.EmbedOptions) { o.Secret = nil }, []string{"cluster secret"}},
		{"another fleet", func(o *cluster.EmbedOptions) { o.Fleet = "staging" }, []string{"another fleet"}},
		{"the same name", func(o *cluster.EmbedOptions) { o.Name = "first" }, []string{"name of its own"}},
		{"TLS on one side", func(o *cluster.EmbedOptions) { o.TLS = certificates.config(t, "127.0.0.1") }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var here, there journal
			first := embed(t, cluster.EmbedOptions{Name: "first", Secret: secret, Log: slog.New(&here)})
			opt := cluster.EmbedOptions{
				Name: "stranger", Secret: secret, Peers: []string{first.Address().String()}, Log: slog.New(&there),
			}
			c.change(&opt)
			stranger := embed(t, opt)
			overheard := make(chan struct{}, 1)
			for _, bus := range []cluster.Bus{first, stranger} {
				if _, err := bus.Subscribe("test", func([]byte) {
					select {
					case overheard <- struct{}{}:
					default:
					}
				}); err != nil {
					t.Fatal(err)
				}
			}
			await(t, "somebody says what is wrong", func() bool {
				first.Publish("test", nil)
				stranger.Publish("test", nil)
				return first.Status().Trouble != "" || stranger.Status().Trouble != ""
			})
			for _, want := range c.says {
				await(t, "it is said: "+want, func() bool {
					all := strings.Join(append(here.all(), there.all()...), "\n")
					status := fmt.Sprint(first.Status(), stranger.Status())
					return strings.Contains(all, want) && strings.Contains(status, want)
				})
			}
			if strings.Contains(c.name, "secret") {
				await(t, "the stranger knows too", func() bool { return strings.Contains(stranger.Status().Trouble, "refuses this gateway") })
				if first.Status().Refused == 0 || !strings.Contains(first.Status().Trouble, "127.0.0.1") {
					t.Errorf("the first does not count whom it refused: %v", first.Status())
				}
			}
			if stranger.Connected() {
				t.Error("a refused gateway is connected")
			}
			if len(overheard) > 0 {
				t.Error("something passed between them")
			}
			for _, line := range append(here.all(), there.all()...) {
				if strings.Contains(line, string(secret)) {
					t.Errorf("the log has the secret in it: %s", line)
				}
			}
		})
	}
}

// TestTLS joins gateways by routes that are encrypted and checked both ways.
func TestTLS(t *testing.T) {
	ours, strange := newAuthority(t), newAuthority(t)
	first := embed(t, cluster.EmbedOptions{Name: "first", Secret: secret, TLS: ours.config(t, "127.0.0.1")})
	second := embed(t, cluster.EmbedOptions{
		Name: "second", Secret: secret, TLS: ours.config(t, "127.0.0.1"), Peers: []string{first.Address().String()},
	})
	hears(t, second, first)
	hears(t, first, second)

	stranger := embed(t, cluster.EmbedOptions{
		Name: "stranger", Secret: secret, TLS: strange.config(t, "127.0.0.1"), Peers: []string{first.Address().String()},
	})
	await(t, "the stranger's certificate is refused", func() bool {
		return strings.Contains(stranger.Status().Trouble+first.Status().Trouble, "certificate")
	})
	if stranger.Connected() {
		t.Error("a gateway with a certificate of somebody else's is connected")
	}
}

func TestEmbedErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct {
		name string
		opt  cluster.EmbedOptions
		says []string
	}{
		{"no address", cluster.EmbedOptions{}, []string{"HOST:PORT"}},
		{"no port", cluster.EmbedOptions{Listen: "127.0.0.1"}, []string{"127.0.0.1", "HOST:PORT"}},
		{"a port that is none", cluster.EmbedOptions{Listen: "127.0.0.1:99999"}, []string{"99999", "HOST:PORT"}},
		{"a port in use", cluster.EmbedOptions{Listen: taken.Addr().String()}, []string{taken.Addr().String(), "in use"}},
		{"everybody, without a secret", cluster.EmbedOptions{Listen: "0.0.0.0:0"}, []string{"refusing", "0.0.0.0:0", "secret", "127.0.0.1"}},
		{"everybody, by leaving the host out", cluster.EmbedOptions{Listen: ":0"}, []string{"refusing", "secret"}},
		{"another machine, by name", cluster.EmbedOptions{Listen: "gateway.example.com:0"}, []string{"refusing", "secret"}},
		{"a short secret", cluster.EmbedOptions{Listen: "127.0.0.1:0", Secret: []byte("hunter2")}, []string{"7 bytes", "32"}},
		{"a peer without a port", cluster.EmbedOptions{Listen: "127.0.0.1:0", Peers: []string{"gateway-2"}}, []string{`"gateway-2"`, "HOST:PORT"}},
		{"a peer with a scheme", cluster.EmbedOptions{Listen: "127.0.0.1:0", Peers: []string{"nats://gateway-2:6222"}}, []string{"nats://gateway-2", "HOST:PORT"}},
		{"a long name of a fleet", cluster.EmbedOptions{Listen: "127.0.0.1:0", Fleet: strings.Repeat("x", 256)}, []string{"256", "255"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.opt.Name = "gateway"
			bus, err := cluster.Embed(c.opt)
			if err == nil {
				bus.Close()
				t.Fatal("it starts")
			}
			if errors.Is(err, cluster.ErrOptions) != (c.name != "a port in use") {
				t.Errorf("whose fault it is: %v", err)
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("it says %q, and not %q", err, want)
				}
			}
		})
	}
}

// TestNoClientPort shows that a gateway listens for routes, and for nothing
// else.
func TestNoClientPort(t *testing.T) {
	before := listening(t)
	bus := embed(t, cluster.EmbedOptions{Name: "gateway"})
	var opened []string
	for address := range listening(t) {
		if !before[address] {
			opened = append(opened, address)
		}
	}
	_, port, _ := net.SplitHostPort(bus.Address().String())
	var number int
	fmt.Sscan(port, &number)
	if want := fmt.Sprintf("0100007F:%04X", number); !slices.Equal(opened, []string{want}) {
		t.Errorf("it listens on %v, want %v alone", opened, want)
	}
}

// listening returns the addresses that this process listens on, as Linux writes
// them.
func listening(t *testing.T) map[string]bool {
	t.Helper()
	ours := map[string]bool{}
	files, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(files) == 0 {
		t.Skip("needs Linux")
	}
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil {
			if inode, is := strings.CutPrefix(target, "socket:["); is {
				ours[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	addresses := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			t.Skip(err)
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			const listen = "0A"
			if len(fields) > 9 && fields[3] == listen && ours[fields[9]] {
				addresses[fields[1]] = true
			}
		}
	}
	return addresses
}
