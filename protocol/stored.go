package protocol

import (
	"encoding/binary"
)

// EncodeCommit returns a commit in its stored form (see [Commit]). It numbers
// the collections and fields that names does not hold yet, appends them to it
// and sets c.Names to them; if the commit is not appended after all, Truncate
// takes them back. The order of a mutation's changes is kept within each
// collection. Seqs and counters in verdicts and conflicts are not stored: they
// are the commit's and the mutation's own.
func EncodeCommit(c *Commit, names *NameTable) []byte {
	firstName := names.Len()
	c.Names = nil
	var collections []string
	header := CommitHeader{
		Seq:           c.Seq,
		ID:            c.ID,
		Time:          c.Time,
		SchemaVersion: c.Schema.Version,
		AckNow:        c.AckNow,
	}
	note := func(name string) {
		if _, added := names.Add(name); added {
			c.Names = append(c.Names, name)
		}
	}
	for i := range c.Mutations {
		m := &c.Mutations[i]
		if len(m.Changes) == 0 {
			continue
		}
		var author int
		header.Authors, author = directory(header.Authors, 0, m.Author)
		header.Mutations = append(header.Mutations, MutationStamp{Author: author, Base: m.Base, EditTime: m.EditTime})
		for j := range m.Changes {
			change := &m.Changes[j]
			note(change.Collection)
			collections = include(collections, change.Collection)
			for k := range change.Fields {
				note(change.Fields[k].Field)
			}
		}
	}
	if len(c.Names) > 0 {
		header.FirstName, header.Names = uint64(firstName), c.Names
	}

	w := newWriter(nil, names)
	header.encode(w)
	for _, collection := range collections {
		w.section(c, collection)
	}
	wire := w.done()

	data := make([]byte, 0, 1+binary.MaxVarintLen32+len(wire)+privateSize(c))
	data = AppendFormat(data)
	data = binary.AppendUvarint(data, uint64(len(wire)))
	data = append(data, wire...)
	return appendPrivate(data, c, header.Authors)
}

// include adds s to a list of few.
func include(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}

// directory finds author in the list, whose first entry has number first, or
// adds it. Commits have few authors.
func directory(list []Author, first int, author Author) ([]Author, int) {
	for i := range list {
		if list[i] == author {
			return list, first + i
		}
	}
	return append(list, author), first + len(list)
}

// section writes what the commit changed in one collection.
func (w *writer) section(c *Commit, collection string) {
	deltas := 0
	for i := range c.Mutations {
		if changesIn(&c.Mutations[i], collection) > 0 {
			deltas++
		}
	}
	w.open(FrameSection, 3)
	w.uint(0) // the label: until there are rules, everybody's
	w.name(collection)
	w.array(deltas)
	number := 0
	for i := range c.Mutations {
		m := &c.Mutations[i]
		if len(m.Changes) == 0 {
			continue
		}
		if n := changesIn(m, collection); n > 0 {
			w.delta(number, n)
			for j := range m.Changes {
				if m.Changes[j].Collection == collection {
					w.change(&m.Changes[j])
				}
			}
		}
		number++
	}
}

func changesIn(m *Committed, collection string) (n int) {
	for i := range m.Changes {
		if m.Changes[i].Collection == collection {
			n++
		}
	}
	return n
}

// privateSize guesses the length of the private part.
func privateSize(c *Commit) int {
	size := 64 + len(c.Gateway) + 256*len(c.Conflicts)
	for i := range c.Mutations {
		size += 64 + len(c.Mutations[i].Body)
	}
	return size
}

// appendPrivate appends what only the log keeps:
//
//	[fingerprint, gateway, conflicts, authors, mutations]
//
// conflicts is a flat list of (device to tell or no bytes, conflict frame);
// authors a flat list of (device, user) that continues the header's directory;
// a mutation is [counter, hash, body, result], with [author, base, edit time]
// behind it, as in the header, if the header does not have it.
func appendPrivate(data []byte, c *Commit, authors []Author) []byte {
	w := newWriter(data, nil)
	w.array(5)
	if c.Schema.Fingerprint == [8]byte{} {
		w.bytes(nil)
	} else {
		w.bytes(c.Schema.Fingerprint[:])
	}
	w.string(c.Gateway)

	w.array(2 * len(c.Conflicts))
	var frame []byte
	for i := range c.Conflicts {
		notice := ConflictNotice{Conflict: c.Conflicts[i]}
		notice.Conflict.Seq = c.Seq
		if device := notice.Conflict.Lost.Author.Device; device.IsZero() || overtaken(c.Conflicts, i) {
			w.bytes(nil)
		} else {
			w.bytes(device[:])
		}
		frame = AppendFrame(frame[:0], &notice)
		w.bytes(frame)
	}

	var extra []Author
	numbers := make([]int, len(c.Mutations))
	for i := range c.Mutations {
		m := &c.Mutations[i]
		if len(m.Changes) > 0 {
			continue
		}
		known := false
		for j := range authors {
			if authors[j] == m.Author {
				numbers[i], known = j, true
				break
			}
		}
		if !known {
			extra, numbers[i] = directory(extra, len(authors), m.Author)
		}
	}
	w.array(2 * len(extra))
	for _, author := range extra {
		w.bytes(author.Device[:])
		w.string(author.User)
	}

	w.array(len(c.Mutations))
	for i := range c.Mutations {
		m := &c.Mutations[i]
		if len(m.Changes) > 0 {
			w.array(4)
		} else {
			w.array(7)
		}
		w.uint(m.Counter)
		w.bytes(m.Hash[:])
		w.bytes(m.Body)
		w.result(&m.Verdict)
		if len(m.Changes) == 0 {
			w.uint(uint64(numbers[i]))
			w.int(int64(c.Seq - m.Base))
			w.int(int64(c.Time - m.EditTime))
		}
	}
	return w.done()
}

// overtaken says whether a later conflict of the commit overwrites the same
// device's value of the same field: a device is told once for each field. An open
// one does not speak for a settled one: it comes as a record, with its own value.
func overtaken(list []Conflict, i int) bool {
	for j := i + 1; j < len(list); j++ {
		if list[i].Lost.Author.Device == list[j].Lost.Author.Device && list[i].Open == list[j].Open &&
			list[i].Collection == list[j].Collection && list[i].ID == list[j].ID &&
			list[i].Field == list[j].Field && list[i].Element == list[j].Element {
			return true
		}
	}
	return false
}

// storedParts splits a stored commit into its wire and its private part.
func storedParts(data []byte) (wire, private []byte, err *Error) {
	if err := checkFormat(data); err != nil {
		if err.Code == CodeMalformed {
			err.Code = CodeDamaged
		}
		return nil, nil, err
	}
	length, n := binary.Uvarint(data[1:])
	if n <= 0 || length > uint64(len(data)-1-n) {
		return nil, nil, Errorf(CodeDamaged, "stored commit: its wire part is cut off")
	}
	wire = data[1+n : 1+n+int(length)]
	return wire, data[1+n+int(length):], nil
}

// DecodeCommit reads a stored commit. names is the space's table before this
// commit; the commit's names are appended to it. The commit does not refer to
// data. The error is an *Error: CodeUpgrade for an unknown format, else
// CodeDamaged; names is then as it was.
func DecodeCommit(data []byte, names *NameTable) (*Commit, error) {
	before := names.Len()
	c, err := decodeCommit(data, names)
	if err != nil {
		names.Truncate(before)
		return nil, err
	}
	return c, nil
}

func decodeCommit(data []byte, names *NameTable) (*Commit, *Error) {
	wire, private, failed := storedParts(data)
	if failed != nil {
		return nil, failed
	}
	r := newReader(wire, "commit", CodeDamaged, deliveredMemory, memoryBase)
	r.names = names
	r.only = FrameCommit
	header, ok := r.frame(false).(*CommitHeader)
	if !ok || r.err != nil {
		return nil, r.err
	}
	c := &Commit{
		Seq:    header.Seq,
		ID:     header.ID,
		Time:   header.Time,
		Schema: SchemaRef{Version: header.SchemaVersion},
		AckNow: header.AckNow,
		Names:  header.Names,
	}
	// changes of the header's mutations, gathered from the sections.
	changes := make([][]Change, len(header.Mutations))
	r.only = FrameSection
	for r.more() {
		section, ok := r.frame(false).(*Section)
		if !ok || r.err != nil {
			break
		}
		for _, delta := range section.Deltas {
			if changes[delta.Mutation] == nil {
				changes[delta.Mutation] = delta.Changes
			} else {
				changes[delta.Mutation] = append(changes[delta.Mutation], delta.Changes...)
			}
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	if err := decodePrivate(private, c, header, changes); err != nil {
		return nil, err
	}
	return c, nil
}

func decodePrivate(private []byte, c *Commit, header *CommitHeader, changes [][]Change) *Error {
	r := newReader(private, "commit's private part", CodeDamaged, deliveredMemory, memoryBase)
	r.tuple("private", 5)
	r.fixedOrNone("fingerprint", c.Schema.Fingerprint[:])
	c.Gateway = r.string("gateway")

	c.Conflicts = allocate[Conflict](r, "conflicts", r.multiple("conflicts", 2))
	for i := range c.Conflicts {
		r.view("device")
		r.conflict(&c.Conflicts[i], c.Seq)
	}

	authors := header.Authors
	for range r.multiple("authors", 2) {
		var author Author
		r.fixed("author's device", author.Device[:])
		author.User = r.string("author's user")
		authors = append(authors, author)
	}

	c.Mutations = allocate[Committed](r, "mutations", r.array("mutations", 23))
	next := 0
	for i := range c.Mutations {
		m := &c.Mutations[i]
		n := r.array("mutation", 1)
		m.Counter = r.uint("counter")
		r.fixed("hash", m.Hash[:])
		m.Body = r.bytes("body")
		m.Verdict.Seq, m.Verdict.Counter = c.Seq, m.Counter
		r.result(&m.Verdict)
		author := -1
		switch {
		case n == 7:
			author = int(r.uint("author"))
			m.Base, m.EditTime = r.differences(c.Seq, c.Time)
		case n == 4 && next < len(header.Mutations):
			stamp := header.Mutations[next]
			author, m.Base, m.EditTime = stamp.Author, stamp.Base, stamp.EditTime
			if m.Changes = changes[next]; len(m.Changes) == 0 {
				r.fail("mutation", "it changed nothing, but the header has it")
			}
			next++
		default:
			r.fail("mutation", "%d elements do not fit the header", n)
		}
		if r.err != nil {
			break
		}
		if author >= len(authors) {
			r.fail("author", "%d is not in the directory", author)
			break
		}
		m.Author = authors[author]
	}
	if r.err == nil && next != len(header.Mutations) {
		r.fail("mutations", "%d are missing", len(header.Mutations)-next)
	}
	r.end()
	return r.err
}

// conflict reads the conflict frame that stands as bytes in the private part.
func (r *reader) conflict(c *Conflict, seq uint64) {
	frame := r.view("conflict")
	if r.err != nil {
		return
	}
	inner := newReader(frame, r.what, r.code, 0, 0)
	inner.memory, inner.mutations = r.memory, 0
	notice, ok := inner.frame(false).(*ConflictNotice)
	inner.end()
	r.memory = inner.memory
	switch {
	case inner.err != nil:
		r.err = inner.err
	case !ok || notice.Conflict.Seq != seq:
		r.fail("conflict", "it is not this commit's conflict frame")
	default:
		*c = notice.Conflict
	}
}

// StoredCommit is a stored commit as delivery needs it: cut into ready-made
// frames, nothing of them decoded. Its slices lie in the stored bytes.
type StoredCommit struct {
	Seq    uint64
	ID     CommitID
	Time   Time
	AckNow bool
	// HasNames is true if the commit adds names: then its header goes to every
	// subscriber, whatever else they see of it.
	HasNames bool
	// Wire is Header and the sections, one behind the other.
	Wire     []byte
	Header   []byte
	Sections []StoredSection
	// Notices are the conflicts to be told to one device each.
	Notices []StoredNotice
}

// StoredSection is a section frame of a stored commit.
type StoredSection struct {
	Label uint32
	// Number is the collection's number in the name table, unless Literal has its
	// name.
	Number  uint64
	Literal string
	Frame   []byte
}

// Collection returns the name of the section's collection; false if its number
// is not in the table.
func (s StoredSection) Collection(names *NameTable) (string, bool) {
	if s.Literal != "" {
		return s.Literal, true
	}
	return names.Name(s.Number)
}

// StoredNotice is a conflict frame for one device.
type StoredNotice struct {
	Device DeviceID
	Frame  []byte
}

// ParseCommit cuts a stored commit into its frames without decoding deltas. The
// error is an *Error: CodeUpgrade for an unknown format, else CodeDamaged. It
// looks at the parts that delivery needs, and leaves the others unchecked.
func ParseCommit(data []byte) (StoredCommit, error) {
	var c StoredCommit
	wire, private, failed := storedParts(data)
	if failed != nil {
		return c, failed
	}
	r := newReader(wire, "commit", CodeDamaged, deliveredMemory, memoryBase)
	c.Wire = wire
	c.header(r)
	for r.more() {
		c.section(r)
	}
	if r.err != nil {
		return StoredCommit{}, r.err
	}
	p := newReader(private, "commit's private part", CodeDamaged, deliveredMemory, memoryBase)
	p.tuple("private", 5)
	p.skip("fingerprint")
	p.skip("gateway")
	for range p.multiple("conflicts", 2) {
		var notice StoredNotice
		p.fixedOrNone("device", notice.Device[:])
		notice.Frame = p.view("conflict")
		if !notice.Device.IsZero() && p.charge("conflicts", 3*48) {
			c.Notices = append(c.Notices, notice)
		}
		if p.err != nil {
			break
		}
	}
	if p.err != nil {
		return StoredCommit{}, p.err
	}
	return c, nil
}

func (c *StoredCommit) header(r *reader) {
	r.tuple("header", 9)
	if r.uint("frame type") != uint64(FrameCommit) {
		r.fail("frame type", "it is not a commit's header")
	}
	c.Seq = r.uint("seq")
	r.fixed("id", c.ID[:])
	c.Time = r.time("time")
	r.skip("schema version")
	c.AckNow = r.small("flags", flagAckNow) == flagAckNow
	at := r.pos
	c.HasNames = r.array("names", 1) > 0
	r.pos = at
	r.skip("names")
	r.skip("authors")
	r.skip("mutations")
	c.Header = r.data[:r.pos]
}

func (c *StoredCommit) section(r *reader) {
	var s StoredSection
	begin := r.pos
	r.tuple("section", 4)
	if r.uint("frame type") != uint64(FrameSection) {
		r.fail("frame type", "it is not a section")
	}
	s.Label = r.uint32("label")
	if r.peek() == tokenInt {
		s.Number = r.uint("collection")
	} else if s.Literal = r.string("collection"); s.Literal == "" {
		r.fail("collection", "its name is empty")
	}
	r.skip("deltas")
	s.Frame = r.data[begin:r.pos]
	if r.charge("sections", 3*64) {
		c.Sections = append(c.Sections, s)
	}
}
