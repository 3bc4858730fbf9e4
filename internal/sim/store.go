package sim

import (
	"context"
	"errors"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// errThrottled is a failure that certainly had no effect.
var errThrottled = errors.New("simulated: throttled")

// call sends one request of a space's core to the store, which answers as a
// store across an unreliable network does: late, twice, never, with "unknown"
// although it wrote, or with "unknown" and a write that lands much later.
func (w *world) call(who string, key space.Key, req space.Request, slow float64, answer func(space.Response)) {
	f := w.plan.Store
	// What is on its way to a table that an operator then replaces by a restored
	// one never reaches the new one.
	store := w.store
	execute := func() space.Response { return w.execute(store, key, req) }
	there := w.latency(slow)
	back := w.latency(slow)
	reply := func(r space.Response) {
		w.after(back, func() { answer(r) })
		if w.chance(f.Duplicated) {
			w.after(back+w.latency(slow)*8, func() { answer(r) })
		}
	}

	if _, isAppend := req.Op.(space.AppendOp); !isAppend {
		switch {
		case w.chance(f.Lost):
			return // neither done nor answered: the core asks again
		case w.chance(f.Throttled):
			w.after(there+back, func() { answer(space.Response{ID: req.ID, Err: errThrottled}) })
			return
		}
		w.after(there, func() {
			r := execute()
			if w.chance(f.Lost) {
				return // done, and never answered
			}
			reply(r)
		})
		return
	}

	// An append has more ways to go wrong, and they matter more.
	switch {
	case w.chance(f.Throttled):
		w.after(there+back, func() { answer(space.Response{ID: req.ID, Err: errThrottled}) })
	case w.chance(f.Ambiguous):
		// The caller is told that it does not know; the write happens never, at once,
		// or when everybody believes it will not happen any more.
		unknown := space.Response{ID: req.ID, Err: space.ErrUnknown}
		switch w.below(3) {
		case 0:
			w.transcript.say(who, "append %s: lost before it was written", name(key))
		case 1:
			w.transcript.say(who, "append %s: written, the reply is lost", name(key))
			w.after(there, func() { execute() })
		case 2:
			late := w.between(200, 40_000)
			w.transcript.say(who, "append %s: will be written %d ms late", name(key), late)
			w.after(late, func() { execute() })
		}
		w.after(there+back+w.between(0, 2000), func() { answer(unknown) })
	case w.chance(f.Lost):
		// Written or not, nobody answers: the core has to give up by itself.
		if w.chance(0.5) {
			w.after(there, func() { execute() })
		}
	default:
		w.after(there, func() { reply(execute()) })
	}
}

// execute does to the store what was asked, now.
func (w *world) execute(store *space.Memory, key space.Key, req space.Request) space.Response {
	r := space.Response{ID: req.ID}
	ctx := context.Background()
	switch op := req.Op.(type) {
	case space.AppendOp:
		r.Err = store.Append(ctx, key, op.Seq, op.Data)
		if r.Err == nil && store == w.store {
			w.check.appended(key, op.Seq, op.Data)
			w.transcript.say("store", "%s has commit %d", name(key), op.Seq)
		}
	case space.LogOp:
		r.Log, r.Err = store.Log(ctx, key, op.From, op.MaxBytes)
	case space.PutOp:
		if store == w.store {
			w.check.stored(key, op.Items)
		}
		r.Err = store.Put(ctx, key, op.Items)
	case space.GetOp:
		r.Items, r.Err = store.Get(ctx, key, op.Keys)
	case space.ScanOp:
		r.Items, r.Err = store.Scan(ctx, key, op.After, op.MaxBytes)
	case space.TrimOp:
		r.Err = store.Trim(ctx, key, op.Below, op.Drop)
	}
	return r
}

// latency is how long a message to or from the store takes.
func (w *world) latency(slow float64) protocol.Time {
	d := w.between(1, 8)
	if w.chance(0.03) {
		d += w.between(0, 400)
	}
	return protocol.Time(float64(d) * slow)
}

// name is a space's name in the transcript.
func name(key space.Key) string { return key.Tenant + "/" + key.Space }
