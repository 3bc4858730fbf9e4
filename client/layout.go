package client

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// The keys and values of a client's store. A key is a kind, and for everything
// but the client's own entry the space's name with its length before it, and
// then what orders the entries of the kind. Every value begins with the format
// byte of package protocol. All numbers are big-endian.
//
//	d                                    device
//	s space                              device cursor schema counter hash base sent flags filter
//	n space                              the name table, as a snapshot frame
//	r space (2 len) collection, id       a confirmed record
//	q space device counter               a pending mutation: seq at which it leaves (0: not judged), body
//	x space order                        a rejected mutation: device, counter, (4 len) verdict frame, body
//	c space seq collection, id, field …  a settled conflict, as a conflict frame
type kind byte

const (
	kindClient   kind = 'd'
	kindSpace    kind = 's'
	kindNames    kind = 'n'
	kindRecord   kind = 'r'
	kindPending  kind = 'q'
	kindRejected kind = 'x'
	kindConflict kind = 'c'
)

// flagRebase is set in a space's flags while the queue must be rebased.
const flagRebase = 1

var clientKey = []byte{byte(kindClient)}

func appendText(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

func spaceKey(k kind, space string) []byte {
	return appendText([]byte{byte(k)}, space)
}

func (s *space) recordKey(key Key) []byte {
	return append(appendText(spaceKey(kindRecord, s.name), key.Collection), key.ID...)
}

func (s *space) pendingKey(p *pending) []byte {
	return binary.BigEndian.AppendUint64(append(spaceKey(kindPending, s.name), p.device[:]...), p.counter)
}

func (s *space) rejectedKey(e *rejectedEntry) []byte {
	return binary.BigEndian.AppendUint64(spaceKey(kindRejected, s.name), e.order)
}

func (s *space) conflictKey(conflict protocol.Conflict) []byte {
	key := binary.BigEndian.AppendUint64(spaceKey(kindConflict, s.name), conflict.Seq)
	for _, part := range []string{conflict.Collection, conflict.ID, conflict.Field, conflict.Element} {
		key = appendText(key, part)
	}
	return key
}

func encodeClient(device protocol.DeviceID) []byte {
	return append(protocol.AppendFormat(nil), device[:]...)
}

func encodeSpace(s *space) []byte {
	v := append(protocol.AppendFormat(nil), s.device[:]...)
	v = binary.BigEndian.AppendUint64(v, s.cursor.Seq)
	v = append(v, s.cursor.Commit[:]...)
	v = binary.BigEndian.AppendUint32(v, s.schemaVersion)
	v = binary.BigEndian.AppendUint64(v, s.counter)
	v = append(v, s.hash[:]...)
	v = binary.BigEndian.AppendUint64(v, s.base)
	v = binary.BigEndian.AppendUint64(v, s.sent)
	var flags byte
	if s.rebase {
		flags |= flagRebase
	}
	v = append(v, flags)
	for _, name := range s.filter {
		v = appendText(v, name)
	}
	return v
}

func encodeNames(names *protocol.NameTable) []byte {
	return protocol.EncodeMessage(&protocol.Snapshot{Names: names.Names()})
}

// encodeRecord returns nil, which deletes, for a record that is not there.
func encodeRecord(r *merge.Record) []byte {
	state, alive := r.State()
	if !alive {
		return nil
	}
	return protocol.AppendRecordState(protocol.AppendFormat(nil), &state)
}

func encodePending(p *pending) []byte {
	v := binary.BigEndian.AppendUint64(protocol.AppendFormat(nil), p.leaveAt)
	return append(v, p.body...)
}

func encodeRejected(e *rejectedEntry) []byte {
	verdict := protocol.EncodeMessage(&protocol.Verdicts{Handle: 1, List: []protocol.Verdict{e.verdict}})
	v := append(protocol.AppendFormat(nil), e.id.Device[:]...)
	v = binary.BigEndian.AppendUint64(v, e.id.Counter)
	v = binary.BigEndian.AppendUint32(v, uint32(len(verdict)))
	return append(append(v, verdict...), e.body...)
}

func encodeConflict(conflict protocol.Conflict) []byte {
	return protocol.EncodeMessage(&protocol.ConflictNotice{Conflict: conflict})
}

// Load gives the core an entry of its store. It is called for all of them, in
// any order, before Start. The error wraps ErrStoreCorrupt or ErrStoreVersion.
func (c *Core) Load(key, value []byte) error {
	k := &scanner{data: key}
	v := &scanner{data: value}
	which := kind(k.byte())
	if format := v.byte(); !k.failed && !v.failed && format != protocol.AppendFormat(nil)[0] {
		return fmt.Errorf("%w: entry %q has format %#02x", ErrStoreVersion, key, format)
	}
	var err error
	if which == kindClient {
		copy(c.device[:], v.take(len(c.device)))
	} else if name := k.text(); !k.failed {
		err = c.space(name).load(which, k, v)
	}
	if err == nil && (k.failed || v.failed) {
		err = errors.New("it is too short")
	}
	if errors.Is(err, ErrStoreVersion) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: entry %q: %w", ErrStoreCorrupt, key, err)
	}
	return nil
}

func (s *space) load(which kind, k, v *scanner) error {
	switch which {
	case kindSpace:
		copy(s.device[:], v.take(len(s.device)))
		s.cursor.Seq = v.uint64()
		copy(s.cursor.Commit[:], v.take(len(s.cursor.Commit)))
		s.schemaVersion = v.uint32()
		s.counter = v.uint64()
		copy(s.hash[:], v.take(len(s.hash)))
		s.base, s.sent = v.uint64(), v.uint64()
		s.rebase = v.byte()&flagRebase != 0
		for len(v.data) > 0 && !v.failed {
			s.filter = append(s.filter, v.text())
		}
	case kindNames:
		snapshot, err := decodeOne[*protocol.Snapshot](v.whole)
		if err != nil {
			return err
		}
		s.names = protocol.NewNameTable(snapshot.Names...)
	case kindRecord:
		state, err := protocol.DecodeRecordState(v.data)
		if err != nil {
			return err
		}
		s.records[Key{Collection: state.Collection, ID: state.ID}] = merge.RecordFromState(*state)
	case kindPending:
		p := &pending{durable: true, toldLocal: true}
		copy(p.device[:], k.take(len(p.device)))
		p.counter = k.uint64()
		p.leaveAt = v.uint64()
		p.judged = p.leaveAt != 0
		p.body = v.data
		m, err := protocol.DecodeMutation(p.body)
		if err != nil {
			return err
		}
		p.mutation = m
		s.queue = append(s.queue, p) // sorted out by check
	case kindRejected:
		e := &rejectedEntry{order: k.uint64()}
		copy(e.id.Device[:], v.take(len(e.id.Device)))
		e.id.Counter = v.uint64()
		verdicts, err := decodeOne[*protocol.Verdicts](v.take(int(v.uint32())))
		if err != nil {
			return err
		}
		if len(verdicts.List) != 1 {
			return errors.New("it has no verdict")
		}
		e.verdict = verdicts.List[0]
		e.body = v.data
		if _, err := protocol.DecodeMutation(e.body); err != nil {
			return err
		}
		s.rejected = append(s.rejected, e)
	case kindConflict:
		notice, err := decodeOne[*protocol.ConflictNotice](v.whole)
		if err != nil {
			return err
		}
		s.conflicts = append(s.conflicts, notice.Conflict)
	default:
		return fmt.Errorf("%w: entries of kind %q are unknown", ErrStoreVersion, byte(which))
	}
	return nil
}

// restore makes the caches of a space whose entries are all loaded.
func (s *space) restore() error {
	loaded := s.queue
	s.queue = nil
	slices.SortStableFunc(loaded, func(a, b *pending) int {
		return cmp.Or(cmp.Compare(a.leaveAt, b.leaveAt), cmp.Compare(a.counter, b.counter))
	})
	counter, hash := s.counter, s.hash
	for _, p := range loaded {
		if p.judged {
			s.leaving = append(s.leaving, p)
			continue
		}
		counter++
		if p.device != s.device || p.counter != counter {
			return fmt.Errorf("%w: space %q: mutation %d of the queue is missing", ErrStoreCorrupt, s.name, counter)
		}
		hash = hash.Next(p.body)
		p.hash = hash
		s.queue = append(s.queue, p)
	}
	slices.SortFunc(s.rejected, func(a, b *rejectedEntry) int { return cmp.Compare(a.order, b.order) })
	slices.SortStableFunc(s.conflicts, func(a, b protocol.Conflict) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, p := range s.leaving {
		s.predict(p)
	}
	for _, p := range s.queue {
		s.predict(p)
	}
	s.durable, s.durableSent = s.cursor, s.sent
	s.namesSaved = encodeNames(s.names)
	s.takeNews()
	return nil
}

// decodeOne decodes a stored message of one frame.
func decodeOne[F protocol.Frame](message []byte) (F, error) {
	var none F
	frames, err := protocol.DecodeMessage(message, nil)
	if err != nil {
		return none, err
	}
	if len(frames) == 1 {
		if f, ok := frames[0].(F); ok {
			return f, nil
		}
	}
	return none, errors.New("it holds another frame")
}

// scanner reads an entry from its front. After a read past the end it has failed
// and returns zeros.
type scanner struct {
	data   []byte
	whole  []byte // with the format byte; set by the first read of a byte
	failed bool
}

func (s *scanner) take(n int) []byte {
	if n < 0 || n > len(s.data) {
		s.failed = true
		s.data = nil
		return make([]byte, max(min(n, 64), 0))
	}
	taken := s.data[:n]
	s.data = s.data[n:]
	return taken
}

func (s *scanner) byte() byte {
	if s.whole == nil {
		s.whole = s.data
	}
	if b := s.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (s *scanner) uint64() uint64 { return binary.BigEndian.Uint64(s.take(8)) }
func (s *scanner) uint32() uint32 { return binary.BigEndian.Uint32(s.take(4)) }

func (s *scanner) text() string {
	return string(s.take(int(binary.BigEndian.Uint16(s.take(2)))))
}
