package protocol

import "testing"

func TestValueSmoke(t *testing.T) {
	v := MustValue(map[string]any{"b": 1, "a": []any{1.5, "x", nil, true, []byte{1}}, "c": -3.0})
	if got := v.String(); got != `{"a":[1.5,"x",null,true,bytes(AQ==)],"b":1,"c":-3}` {
		t.Fatal(got)
	}
	w, err := DecodeValue(v.Encoded())
	if err != nil || w != v {
		t.Fatal(err, w)
	}
}
