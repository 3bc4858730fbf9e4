package protocol

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// genPeers draws bodies of each kind.
var genPeers = map[uint64]*rapid.Generator[PeerBody]{
	1: rapid.Custom(func(t *rapid.T) PeerBody {
		return &PeerCommit{Seq: genSeq.Draw(t, "seq"), Data: genBody.Draw(t, "data")}
	}),
	2: rapid.Custom(func(t *rapid.T) PeerBody { return &PeerHead{Seq: genUint.Draw(t, "seq")} }),
	3: rapid.Custom(func(t *rapid.T) PeerBody {
		return &PeerPresence{Devices: listOf(rapid.Custom(func(t *rapid.T) DevicePresence {
			return DevicePresence{Author: genAuthor.Draw(t, "author"), Value: genOptional.Draw(t, "value")}
		}), 3).Draw(t, "devices")}
	}),
	4: rapid.Just[PeerBody](&PeerPresenceAsk{}),
	5: rapid.Custom(func(t *rapid.T) PeerBody {
		return &PeerPushes{Time: genTime.Draw(t, "time"), Pushes: listOf(rapid.Custom(func(t *rapid.T) PeerPush {
			return PeerPush{
				Author: genAuthor.Draw(t, "author"), First: genSeq.Draw(t, "first"), Previous: genHash.Draw(t, "previous"),
				Bodies: listOf(genBody, 4).Draw(t, "bodies"),
			}
		}), 3).Draw(t, "pushes")}
	}),
}

// TestPeersRoundTrip: each message between gateways decodes to what was encoded,
// and its bytes are the only ones for it.
func TestPeersRoundTrip(t *testing.T) {
	for kind := 1; kind < len(peerBodies); kind++ {
		draw := genPeers[uint64(kind)]
		if number, _ := peerBodies[kind]().peer(); draw == nil || number != uint64(kind) {
			t.Fatalf("kind %d says it is %d, or has no generator", kind, number)
		}
		rapid.Check(t, func(t *rapid.T) {
			m := &PeerMessage{
				Gateway: genText.Draw(t, "gateway"), Tenant: genText.Draw(t, "tenant"), Space: genText.Draw(t, "space"),
				Body: draw.Draw(t, "body"),
			}
			data := EncodePeer(m)
			got, err := DecodePeer(data)
			if err != nil {
				t.Fatalf("%x: %v", data, err)
			}
			if !reflect.DeepEqual(got, m) {
				t.Fatalf("decoded %+v, want %+v", got, m)
			}
			if again := EncodePeer(got); !bytes.Equal(again, data) {
				t.Fatalf("encoded again %x, want %x", again, data)
			}
			if _, err := DecodePeer(data[:len(data)-1]); err == nil {
				t.Fatal("a message that is cut off was accepted")
			}
			if _, err := DecodePeer(append(bytes.Clone(data), 0xc0)); err == nil {
				t.Fatal("a message that goes on behind its end was accepted")
			}
		})
	}
}

// TestPeersOfTheFuture: what only a newer gateway sends is told apart from
// rubbish.
func TestPeersOfTheFuture(t *testing.T) {
	for _, test := range []struct {
		data string
		want Code
	}{
		{"", CodeMalformed},
		{"20 94 04 a0 a0 a0", CodeUpgrade},                           // format 2
		{"11 94 04 a0 a0 a0", CodeUpgrade},                           // a must-understand bit
		{"10 94 06 a0 a0 a0", CodeUpgrade},                           // kind 6
		{"10 96 cd 0100 a0 a0 a0 01 02", CodeUpgrade},                // kind 256
		{"10 94 00 a0 a0 a0", CodeUpgrade},                           // kind 0
		{"10 95 04 a0 a0 a0 01", CodeMalformed},                      // an element too many
		{"10 94 02 a0 a0 a0", CodeMalformed},                         // one too few
		{"10 96 05 a0 a0 a0 00 dd ffffffff", CodeMalformed},          // 2^32-1 pushes
		{"10 95 02 a0 a0 a0 ff", CodeMalformed},                      // head −1
		{"10 96 01 a0 a0 a0 01 c6 ffffffff 00", CodeMalformed},       // a commit of 4 GiB
		{"10 96 05 a0 a0 a0 00 91 95 c4 00", CodeMalformed},          // no device
		{"10 95 02 a1 ff a0 a0 01", CodeMalformed},                   // not UTF-8
		{"10 95 03 a0 a0 a0 de ffff", CodeMalformed},                 // a map
		{"10 80", CodeMalformed},                                     // not an array
		{"10 95 02 a0 a0 a0 01 10 95 02 a0 a0 a0 01", CodeMalformed}, // two messages
	} {
		_, err := DecodePeer(mustHex(test.data))
		checkError(t, err)
		if e := new(Error); !errors.As(err, &e) || e.Code != test.want {
			t.Errorf("%s: %v, want %s", test.data, err, test.want)
		}
	}
	first := mustHex("10 96 05 a0 a0 a0 00 91 95 c4 10 00000000000000000000000000000000 a0 00 c4 10 00000000000000000000000000000000 90")
	if _, err := DecodePeer(first); err == nil {
		t.Error("a counter 0 was accepted")
	}
}

// TestPeersLeaveRoom: what is honestly made of the smallest parts is never
// refused for the memory it takes.
func TestPeersLeaveRoom(t *testing.T) {
	pushes, presence := new(PeerPushes), new(PeerPresence)
	for range 5000 {
		pushes.Pushes = append(pushes.Pushes, PeerPush{First: 1, Bodies: [][]byte{{1}, {2}, {3}}})
		presence.Devices = append(presence.Devices, DevicePresence{Author: anna, Value: Null})
	}
	for _, body := range []PeerBody{pushes, presence, &PeerCommit{Seq: 1, Data: make([]byte, 1<<20)}} {
		if _, err := DecodePeer(EncodePeer(&PeerMessage{Body: body})); err != nil {
			t.Error(err)
		}
	}
}

func FuzzDecodePeer(f *testing.F) {
	for _, s := range samplePeers() {
		f.Add(EncodePeer(s.message))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var m *PeerMessage
		checkAllocation(t, len(data), deliveredMemory, memoryBase, func() {
			var err error
			if m, err = DecodePeer(data); err != nil {
				checkError(t, err)
			}
		})
		if m == nil {
			return
		}
		again, err := DecodePeer(EncodePeer(m))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v (%v) was decoded from the encoding of %+v", again, err, m)
		}
	})
}
