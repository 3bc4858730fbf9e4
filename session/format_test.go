package session

import (
	"fmt"
	"strings"

	"github.com/tidegate/tidegate/protocol"
)

// formatReady writes what the session wants done, in the order in which it is
// done.
func formatReady(r *Ready) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if r.Authenticate != nil {
		line("authenticate %q", r.Authenticate.Token)
	}
	for _, a := range r.Attach {
		line("attach %d %s/%s for %s at %d%s%s", a.Handle, a.Tenant, a.Space, formatAuthor(a.Author), a.Cursor.Seq, flag(a.Write, "write"), flag(a.Presence, "presence"))
	}
	for _, p := range r.Push {
		line("push %d #%d: %d from %d", p.Handle, p.ID, len(p.Bodies), p.First)
	}
	for _, c := range r.Confirm {
		line("confirm %d %v", c.Handle, c.Counters)
	}
	for _, c := range r.Cursor {
		line("cursor %d at %d", c.Handle, c.Cursor.Seq)
	}
	for _, p := range r.Presence {
		line("presence %d %v", p.Handle, p.Value)
	}
	for _, f := range r.Fetch {
		line("fetch %d blob %d", f.Handle, f.Blob[0])
	}
	for _, q := range r.Read {
		from := fmt.Sprint(q.From.Cursor.Seq)
		if q.From.Snapshot {
			from = fmt.Sprintf("snapshot %v", q.From.Scan)
		}
		text := ""
		if len(q.Collections) > 0 {
			text = fmt.Sprintf(" of %v", q.Collections)
		}
		line("read %d from %s, at most %d bytes%s, %s", q.Handle, from, q.MaxBytes, text, q.Compression)
	}
	for _, h := range r.Detach {
		line("detach %d", h)
	}
	if r.Write != nil {
		line("write %v, %d bytes", r.Write.Lane, r.Write.Len())
		for _, f := range decode(r.Write.Prefix) {
			line("  %s", formatFrame(f))
		}
		if len(r.Write.Frames) > 0 {
			line("  %d bytes of frames", len(r.Write.Frames))
		}
	}
	if r.Pause {
		line("pause")
	}
	if r.Close != nil {
		line("close %d %q", r.Close.Code, r.Close.Message)
	}
	return b.String()
}

func decode(msg []byte) []protocol.Frame {
	frames, err := protocol.DecodeMessage(msg, nil)
	if err != nil {
		panic(fmt.Sprintf("the session wrote what cannot be read: %v", err))
	}
	return frames
}

func formatFrame(f protocol.Frame) string {
	name := f.Type().String()
	switch f := f.(type) {
	case *protocol.Welcome:
		return fmt.Sprintf("%s version %d, %s, %s, window %d bytes or %d mutations%s", name, f.Version, f.Compression, f.User, f.Window, f.WindowMutations, flag(f.Expires != 0, "expires"))
	case *protocol.Subscribed:
		return fmt.Sprintf("%s %d mode %d head %d counter %d%s", name, f.Handle, f.Mode, f.Head.Seq, f.Counter, flag(f.Write, "write"))
	case *protocol.Unsubscribed:
		return strings.TrimSpace(fmt.Sprintf("%s %d %s", name, f.Handle, f.Code))
	case *protocol.Verdicts:
		if f.Replay {
			return fmt.Sprintf("%s %d replay, counter %d", name, f.Handle, f.Counter)
		}
		var counters []uint64
		for _, v := range f.List {
			counters = append(counters, v.Counter)
		}
		return fmt.Sprintf("%s %d for %v", name, f.Handle, counters)
	case *protocol.In:
		return fmt.Sprintf("%s %d", name, f.Handle)
	case *protocol.Present:
		text := fmt.Sprintf("%s %d:", name, f.Handle)
		for _, d := range f.Devices {
			text += fmt.Sprintf(" %s=%v", formatAuthor(d.Author), d.Value)
		}
		return text
	case *protocol.TokenAccept:
		return name + flag(f.Expires != 0, "expires")
	case *protocol.ErrorFrame:
		return fmt.Sprintf("%s %s%s%s", name, f.Code, about(" handle", uint64(f.Handle)), about(" counter", f.Counter))
	case *protocol.GoingAway:
		return fmt.Sprintf("%s within %d", name, f.Within)
	case *protocol.Ping:
		return fmt.Sprintf("%s %d", name, f.Nonce)
	case *protocol.Pong:
		return fmt.Sprintf("%s %d", name, f.Nonce)
	case *protocol.Fetched:
		return fmt.Sprintf("%s %d blob %d, %d bytes", name, f.Handle, f.Blob[0], f.Value.Size())
	}
	return name
}

func formatStatus(st Status) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s: %d of %d bytes outstanding, %d bytes and %d mutations unanswered\n", st.State, flag(st.Draining, "draining"), st.Outstanding, st.Window, st.PushedBytes, st.PushedMutations)
	for _, sub := range st.Subscriptions {
		fmt.Fprintf(&b, "%d %s head %d delivered %d acked %d%s\n", sub.Handle, sub.Space, sub.Head.Seq, sub.Delivered.Seq, sub.Acked.Seq, flag(sub.Snapshot, "snapshot"))
	}
	return b.String()
}

func formatAuthor(a protocol.Author) string { return fmt.Sprintf("%s@%d", a.User, a.Device[15]) }

func flag(on bool, text string) string {
	if on {
		return " " + text
	}
	return ""
}

func about(what string, n uint64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%s %d", what, n)
}
