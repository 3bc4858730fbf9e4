package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/tidegate/tidegate/access"
	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/gateway"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// startGateway serves a gateway for development on a free port, as
// "tidegate --store memory:" does.
func startGateway() (url string, stop func()) {
	secret, err := access.NewSecret(bytes.Repeat([]byte("s"), access.MinSecretBytes))
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := access.NewDevelopment(secret, nil)
	if err != nil {
		log.Fatal(err)
	}
	server, err := gateway.New(gateway.Config{Store: new(space.Memory), Exclusive: true, Verifier: verifier})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(listener)
	}()
	return "ws://" + listener.Addr().String(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		server.Shutdown(ctx)
		<-served
	}
}

// Two devices edit one record.
func Example() {
	url, stop := startGateway()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()

	phone, err := client.Open(ctx, client.Options{URL: url, Store: client.MemoryStore()})
	if err != nil {
		log.Fatal(err)
	}
	defer phone.Close()
	laptop, err := client.Open(ctx, client.Options{URL: url, Store: client.MemoryStore()})
	if err != nil {
		log.Fatal(err)
	}
	defer laptop.Close()

	cards := phone.Space("board-7", client.SpaceOptions{}).Collection("cards")
	write, err := cards.Create(ctx, "milk", map[string]any{"title": "Buy milk", "votes": 0})
	if err != nil {
		log.Fatal(err) // it is not on disk
	}
	fmt.Println("on this device:", cards.Get("milk").Get("title"))

	verdict, err := write.Durable(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("in the log at:", verdict.Seq)

	board := laptop.Space("board-7", client.SpaceOptions{})
	if err := board.WaitFor(ctx, verdict.Seq); err != nil {
		log.Fatal(err)
	}
	_, err = board.Collection("cards").Update(ctx, "milk", func(e *client.Edit) {
		e.Set("title", "Buy oat milk")
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := board.Drained(ctx); err != nil {
		log.Fatal(err)
	}
	if err := phone.Space("board-7", client.SpaceOptions{}).WaitFor(ctx, board.Cursor().Seq); err != nil {
		log.Fatal(err)
	}
	fmt.Println("on the phone:", cards.Get("milk").Get("title"))
	// Output:
	// on this device: Buy milk
	// in the log at: 1
	// on the phone: Buy oat milk
}

// A rejected mutation is not gone: it waits in a durable list until the user
// edits and retries it, or discards it.
func ExampleSpace_Rejected() {
	url, stop := startGateway()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := client.Open(ctx, client.Options{URL: url, Store: client.MemoryStore()})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	board := c.Space("board-7", client.SpaceOptions{})

	write, err := board.Mutate(ctx, func(tx *client.Tx) error {
		tx.Edit("cards", "milk").Set("title", "Buy milk")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	var rejected *client.Rejected
	if _, err := write.Durable(ctx); errors.As(err, &rejected) {
		fmt.Println("rejected:", rejected.Code)
	}
	entry := board.Rejected()[0]
	fmt.Println("kept:", entry.Ops()[0].Fields[0].Value)

	// The user decides that it should be a card of its own.
	retried, err := entry.Edit(ctx, []protocol.Op{{
		Kind: protocol.OpCreate, Collection: "cards", ID: "milk", Fields: entry.Ops()[0].Fields,
	}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := retried.Durable(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("now:", board.Collection("cards").Get("milk").Get("title"), "and", len(board.Rejected()), "left")
	// Output:
	// rejected: missing
	// kept: "Buy milk"
	// now: Buy milk and 0 left
}
