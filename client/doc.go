// Package client is the Go client of Tidegate: an app's own, durable, always
// writable copy of the spaces it works in.
//
//	c, err := client.Open(ctx, client.Options{URL: "ws://127.0.0.1:8787", Store: store})
//	board := c.Space("board-7", client.SpaceOptions{})
//	cards := board.Collection("cards")
//	w, err := cards.Create(ctx, client.NewID(), map[string]any{"title": "Buy milk"})
//	verdict, err := w.Durable(ctx)
//
// Reading never waits: what is read is the confirmed state with the pending
// mutations predicted on top. A mutation returns once it is on disk, connected
// or not (promise 8 of the design: from then on it survives a killed process and
// leaves the queue only on a verdict). What the server rejects, and what others
// overwrote, is kept and told: see [Space.Rejected] and [Space.Conflicts].
//
// # Core and shell
//
// [Core] decides everything and does nothing: it starts no goroutine and touches
// no clock, socket, disk or source of randomness. It takes inputs (a mutation, a
// message, a tick) and says in [Ready] what must be done. [Client] is its shell:
// it owns the goroutines, the socket, the store and the timers, and holds the
// lock under which the core runs.
//
// # Durability
//
// Everything the core wants to keep goes through one [Batch] at a time, written
// by the [Store] all or nothing. Whatever depends on a batch (a push, a resolved
// handle, an acknowledged cursor) is held back by the core until
// [Core.Persisted] says that it is durable: a shell cannot get the order wrong.
package client
