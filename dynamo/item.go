package dynamo

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// The attributes of an item beside its keys. All others are fields of a record:
// see isField.
const (
	// attrVersion is the item's version, a number.
	attrVersion = "_v"
	// attrMeta holds what only Tidegate reads:
	//
	//	format byte ‖ flags ‖ check (8) ‖ count ‖ count × mark (4) ‖ meta
	//
	// A mark stands for a field as we wrote it, in byte order of their names, so that
	// it can be told which one somebody else changed. The check is over the keys, the
	// version, the marks and meta, which is packed with zstd if flags&1. Numbers are
	// uvarints.
	attrMeta = "_m"
	// attrOurs is there only once somebody else has changed the record. It holds the
	// whole of it as Tidegate knows it:
	//
	//	format byte ‖ flags ‖ check (8) ‖ count ‖ count × (name ‖ value) ‖ meta
	//
	// What is behind check is packed if flags&1; names and values have their length
	// before them.
	attrOurs = "_o"
	// attrData and attrPacked hold a commit, as it is and packed with zstd; the format
	// byte stands before it.
	attrData   = "_d"
	attrPacked = "_z"
)

const (
	flagPacked = 1

	checkBytes = 8
	markBytes  = 4
	// smallMeta is not worth packing.
	smallMeta = 256
	// maxUnpacked bounds what a packed attribute may hold.
	maxUnpacked = 8 << 20
)

// attributes is an item as DynamoDB has it.
type attributes = map[string]types.AttributeValue

// errItem: an attribute of ours is not as we write it.
var errItem = errors.New("cannot be read")

// image is what a store knows of a stored item.
type image struct {
	// version is 0 if there is no item.
	version uint64
	// fields are those that stand in native attributes, as far as they are values,
	// and marks are of those that we wrote there.
	fields []protocol.FieldValue
	marks  []byte
	// foreign are attributes that somebody else changed, added or removed.
	foreign []string
	// ours is true if attrOurs is there.
	ours bool
	// item is the item as Tidegate wrote it; valid only if err is nil.
	item space.Item
	// err says what is wrong with the item, and with which attribute.
	err error
	// wrecked is true if not even its version can be believed.
	wrecked bool
}

// encodeItem returns the attributes of an item without its keys.
func (s *Store) encodeItem(p string, sort string, item *space.Item) (attributes, error) {
	a := make(attributes, len(item.Fields)+4)
	for i, f := range item.Fields {
		switch {
		case !isField(f.Field):
			return nil, fmt.Errorf("%s: field %q: a name must not be empty or begin with \"_\"", item.Key, f.Field)
		case f.Value.IsAbsent():
			return nil, fmt.Errorf("%s: field %q has no value", item.Key, f.Field)
		case i > 0 && item.Fields[i-1].Field >= f.Field:
			return nil, fmt.Errorf("%s: field %q is not in byte order", item.Key, f.Field)
		}
		a[f.Field] = attributeOf(f.Value)
	}
	a[attrVersion] = numberAttribute(item.Version)
	a[attrMeta] = &types.AttributeValueMemberB{Value: s.encodeMeta(p, sort, item.Version, item.Fields, item.Meta)}
	return a, nil
}

// isField reports whether an attribute is a field of a record. Names that begin
// with "_" are the system's, and one of its attributes is a field, too: which of
// the record's fields have an open conflict.
func isField(name string) bool {
	return name == protocol.ConflictCollection || name != "" && name[0] != '_'
}

func numberAttribute(n uint64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatUint(n, 10)}
}

// encodeMeta returns attrMeta.
func (s *Store) encodeMeta(p, sort string, version uint64, fields []protocol.FieldValue, meta []byte) []byte {
	return s.encodeMarked(p, sort, version, marksOf(fields), meta)
}

// encodeMarked returns attrMeta with the marks that it shall have.
func (s *Store) encodeMarked(p, sort string, version uint64, marks, meta []byte) []byte {
	check := checkOf(p, sort, version, marks, meta)
	packed, flags := s.pack(meta)
	b := make([]byte, 0, 16+checkBytes+len(marks)+len(packed))
	b = binary.AppendUvarint(protocol.AppendFormat(b), flags)
	b = append(b, check[:]...)
	b = binary.AppendUvarint(b, uint64(len(marks)/markBytes))
	return append(append(b, marks...), packed...)
}

// encodeOurs returns attrOurs.
func (s *Store) encodeOurs(p, sort string, item *space.Item) []byte {
	content := binary.AppendUvarint(nil, uint64(len(item.Fields)))
	for _, f := range item.Fields {
		content = append(binary.AppendUvarint(content, uint64(len(f.Field))), f.Field...)
		content = f.Value.AppendTo(binary.AppendUvarint(content, uint64(f.Value.Size())))
	}
	content = append(content, item.Meta...)
	check := checkOf(p, sort, item.Version, nil, content)
	packed, flags := s.pack(content)
	b := binary.AppendUvarint(protocol.AppendFormat(nil), flags)
	return append(append(b, check[:]...), packed...)
}

// pack packs data if that pays.
func (s *Store) pack(data []byte) (packed []byte, flags uint64) {
	if len(data) < smallMeta {
		return data, 0
	}
	if packed, ok := s.codec.Encode(nil, data, 0); ok {
		return packed, flagPacked
	}
	return data, 0
}

func (s *Store) unpack(data []byte, flags uint64) ([]byte, error) {
	if flags&flagPacked == 0 {
		return data, nil
	}
	return s.codec.Decode(nil, data, maxUnpacked)
}

func marksOf(fields []protocol.FieldValue) []byte {
	marks := make([]byte, 0, markBytes*len(fields))
	for i := range fields {
		marks = appendMark(marks, &fields[i])
	}
	return marks
}

// appendMark appends the mark of a field.
func appendMark(dst []byte, f *protocol.FieldValue) []byte {
	sum := sha256.New()
	sum.Write(binary.AppendUvarint(nil, uint64(len(f.Field))))
	sum.Write([]byte(f.Field))
	sum.Write(f.Value.Encoded())
	var all [sha256.Size]byte
	return append(dst, sum.Sum(all[:0])[:markBytes]...)
}

func checkOf(p, sort string, version uint64, marks, meta []byte) (check [checkBytes]byte) {
	var b []byte
	for _, part := range []string{p, sort, string(marks)} {
		b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
	}
	b = binary.AppendUvarint(b, version)
	sum := sha256.New()
	sum.Write(b)
	sum.Write(meta)
	copy(check[:], sum.Sum(nil))
	return check
}

// decodeItem says what stands in the table under a key; a for none is an absent
// item. Anybody may have written it: nothing in it is believed.
func (s *Store) decodeItem(p, sort string, key space.ItemKey, a attributes) image {
	img := image{item: space.Item{Key: key}}
	if len(a) == 0 {
		return img
	}
	wreck := func(attribute string, err error) image {
		return image{
			err:     fmt.Errorf("attribute %q: %w", attribute, err),
			foreign: []string{attribute},
			wrecked: true,
			item:    space.Item{Key: key},
		}
	}
	version, err := versionOf(a)
	if err != nil {
		return wreck(attrVersion, err)
	}
	img.version, img.item.Version = version, version
	bad := s.nativeFields(a, &img)
	marks, meta, err := s.decodeMeta(p, sort, version, a)
	if isUpgrade(err) {
		img.err = fmt.Errorf("attribute %q: %w", attrMeta, err)
		img.wrecked = true // a newer gateway's, and not ours to judge
		return img
	}
	if err != nil {
		return wreck(attrMeta, err)
	}
	img.marks = marks
	img.foreign = changed(img.fields, marks, bad)
	_, img.ours = a[attrOurs]
	switch {
	case img.ours:
		img.item.Fields, img.item.Meta, err = s.decodeOurs(p, sort, version, a[attrOurs])
		if err != nil {
			return wreck(attrOurs, err)
		}
	case len(img.foreign) > 0:
		img.err = fmt.Errorf("attribute %q: somebody else wrote it", img.foreign[0])
	default:
		img.item.Fields, img.item.Meta = img.fields, meta
	}
	return img
}

func isUpgrade(err error) bool {
	var known *protocol.Error
	return errors.As(err, &known) && known.Code == protocol.CodeUpgrade
}

func versionOf(a attributes) (uint64, error) {
	number, ok := a[attrVersion].(*types.AttributeValueMemberN)
	if !ok {
		return 0, fmt.Errorf("%w: it is %s, and should be a number", errItem, typeOf(a[attrVersion]))
	}
	version, err := strconv.ParseUint(number.Value, 10, 64)
	if err != nil || version == 0 {
		return 0, fmt.Errorf("%w: %.40q is no version", errItem, number.Value)
	}
	return version, nil
}

// nativeFields reads the fields, and returns the names of those that are no values.
func (s *Store) nativeFields(a attributes, img *image) (bad []string) {
	for name, attribute := range a {
		if !isField(name) {
			continue
		}
		v, err := valueOf(attribute)
		if err != nil {
			bad = append(bad, name)
			continue
		}
		img.fields = append(img.fields, protocol.FieldValue{Field: name, Value: v})
	}
	slices.SortFunc(img.fields, func(a, b protocol.FieldValue) int { return strings.Compare(a.Field, b.Field) })
	slices.Sort(bad)
	return bad
}

// header reads format byte, flags and check.
func header(a types.AttributeValue) (flags uint64, check, rest []byte, err error) {
	attribute, ok := a.(*types.AttributeValueMemberB)
	if !ok {
		return 0, nil, nil, fmt.Errorf("%w: it is %s, and should be binary", errItem, typeOf(a))
	}
	b := attribute.Value
	if err := protocol.CheckFormat(b); err != nil {
		return 0, nil, nil, err
	}
	flags, n := binary.Uvarint(b[1:])
	if n <= 0 || len(b) < 1+n+checkBytes {
		return 0, nil, nil, fmt.Errorf("%w: it is cut short", errItem)
	}
	if flags&^flagPacked != 0 {
		return 0, nil, nil, protocol.Errorf(protocol.CodeUpgrade, "its flags %#x are not known", flags)
	}
	b = b[1+n:]
	return flags, b[:checkBytes], b[checkBytes:], nil
}

func (s *Store) decodeMeta(p, sort string, version uint64, a attributes) (marks, meta []byte, err error) {
	flags, check, b, err := header(a[attrMeta])
	if err != nil {
		return nil, nil, err
	}
	count, n := binary.Uvarint(b)
	if n <= 0 || count > uint64(len(b)-n)/markBytes {
		return nil, nil, fmt.Errorf("%w: it is cut short", errItem)
	}
	marks, b = b[n:n+int(count)*markBytes], b[n+int(count)*markBytes:]
	if meta, err = s.unpack(b, flags); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errItem, err)
	}
	if len(meta) == 0 {
		meta = nil
	}
	if want := checkOf(p, sort, version, marks, meta); !bytes.Equal(check, want[:]) {
		return nil, nil, fmt.Errorf("%w: it was written for another item or version, or changed", errItem)
	}
	return marks, meta, nil
}

func (s *Store) decodeOurs(p, sort string, version uint64, a types.AttributeValue) ([]protocol.FieldValue, []byte, error) {
	flags, check, b, err := header(a)
	if err != nil {
		return nil, nil, err
	}
	if b, err = s.unpack(b, flags); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errItem, err)
	}
	if want := checkOf(p, sort, version, nil, b); !bytes.Equal(check, want[:]) {
		return nil, nil, fmt.Errorf("%w: it was written for another item or version, or changed", errItem)
	}
	cut := fmt.Errorf("%w: it is cut short", errItem)
	count, n := binary.Uvarint(b)
	// A field takes two bytes at least.
	if n <= 0 || count > uint64(len(b))/2 {
		return nil, nil, cut
	}
	b = b[n:]
	var fields []protocol.FieldValue
	for range count {
		name, rest, ok := cutBytes(b)
		if !ok {
			return nil, nil, cut
		}
		value, rest, ok := cutBytes(rest)
		if !ok {
			return nil, nil, cut
		}
		v, err := protocol.DecodeValue(value)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errItem, err)
		}
		fields = append(fields, protocol.FieldValue{Field: string(name), Value: v})
		b = rest
	}
	if len(b) == 0 {
		b = nil
	}
	return fields, b, nil
}

func cutBytes(b []byte) (x, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	b = b[n:]
	return b[:size], b[size:], true
}

// removedAttribute stands for an attribute that is gone: its name is not known.
const removedAttribute = "(removed)"

// changed compares fields with the marks of those that were written, and returns
// the names of those that are not as they were.
func changed(fields []protocol.FieldValue, marks []byte, bad []string) []string {
	names := bad
	left := make(map[string]int, len(marks)/markBytes)
	for i := 0; i < len(marks); i += markBytes {
		left[string(marks[i:i+markBytes])]++
	}
	for i := range fields {
		mark := string(appendMark(nil, &fields[i]))
		if left[mark] == 0 {
			names = append(names, fields[i].Field)
			continue
		}
		left[mark]--
	}
	slices.Sort(names)
	if len(names) == 0 && len(fields) != len(marks)/markBytes {
		names = append(names, removedAttribute)
	}
	return names
}
