package gateway

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tidegate/tidegate/protocol"
)

// BenchmarkFanOut measures what a commit costs that goes to many connections,
// from push to the last socket. Readers count bytes and decode nothing.
func BenchmarkFanOut(b *testing.B) {
	for _, readers := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) { benchmarkFanOut(b, readers) })
	}
}

func benchmarkFanOut(b *testing.B, readers int) {
	g := start(b, func(cfg *Config) { cfg.Rates = Rates{Connections: Rate{PerSecond: 1}} }) // messages are not limited
	open := func() *peer {
		p := dial(b, g)
		hello := p.hello("")
		hello.Window = 1 << 50 // nothing is acknowledged
		p.send(hello)
		await[*protocol.Welcome](p)
		p.subscribe(1, "room")
		return p
	}
	writer := open()
	var delivered sync.WaitGroup
	for range readers {
		p := open()
		go func() {
			for {
				_, body, err := p.ws.Reader(context.Background())
				if err != nil {
					return
				}
				if _, err := io.Copy(io.Discard, body); err != nil {
					return
				}
				delivered.Done()
			}
		}()
	}
	push := func(n int) {
		body := protocol.AppendMutation(nil, &protocol.Mutation{EditTime: protocol.Time(time.Now().UnixMilli()),
			Ops: []protocol.Op{create("notes", fmt.Sprint(n), "text", "a change of the usual length, or about that")}})
		delivered.Add(readers)
		writer.counter[1]++
		message := protocol.EncodeMessage(&protocol.Push{Handle: 1, First: writer.counter[1], Previous: writer.hash[1], Bodies: [][]byte{body}})
		writer.hash[1] = writer.hash[1].Next(body)
		if err := writer.ws.Write(context.Background(), websocket.MessageBinary, message); err != nil {
			b.Fatal(err)
		}
		delivered.Wait()
	}
	go func() { // the writer's own deliveries and verdicts
		for {
			if _, _, err := writer.ws.Read(context.Background()); err != nil {
				return
			}
		}
	}()
	push(-1)
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		push(n)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*readers), "µs/delivery")
}
