package cluster_test

import (
	"testing"

	"github.com/tidegate/tidegate/cluster"
)

// BenchmarkAcross sends a commit of an ordinary size to another gateway and back,
// by routes over TCP: twice what a follower waits for besides the store.
func BenchmarkAcross(b *testing.B) {
	join := func(name string, peers ...string) *cluster.Embedded {
		bus, err := cluster.Embed(cluster.EmbedOptions{Name: name, Listen: "127.0.0.1:0", Secret: secret, Peers: peers})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { bus.Close() })
		return bus
	}
	near := join("near")
	far := join("far", near.Address().String())
	back := make(chan struct{}, 1)
	data := make([]byte, 200)
	if _, err := far.Subscribe("there", func(data []byte) { far.Publish("back", data) }); err != nil {
		b.Fatal(err)
	}
	if _, err := near.Subscribe("back", func([]byte) {
		select {
		case back <- struct{}{}:
		default:
		}
	}); err != nil {
		b.Fatal(err)
	}
	for met := false; !met; {
		near.Publish("there", data)
		select {
		case <-back:
			met = true
		default:
		}
	}
	for b.Loop() {
		near.Publish("there", data)
		<-back
	}
}
