package protocol

// Format is the first byte of everything stored or sent: the version of the
// format in the high four bits, must-understand bits in the low four. None of
// those is defined yet, so any that is set stops the reader.
const Format byte = 0x10

// MaxElements is the element budget of a message from a client: more arrays,
// maps, keys and scalars than any sound message holds, mutation
// bodies being one element each.
const MaxElements = 1 << 16

// AppendFormat appends the format byte.
func AppendFormat(dst []byte) []byte { return append(dst, Format) }

// CheckFormat looks at the format byte that data begins with. It returns
// CodeUpgrade for a version or a bit that this reader does not know.
func CheckFormat(data []byte) error {
	if err := checkFormat(data); err != nil {
		return err
	}
	return nil
}

func checkFormat(data []byte) *Error {
	switch {
	case len(data) == 0:
		return Errorf(CodeMalformed, "there are no bytes")
	case data[0]>>4 != Format>>4:
		return Errorf(CodeUpgrade, "format version %d is not known, only %d is", data[0]>>4, Format>>4)
	case data[0] != Format:
		return Errorf(CodeUpgrade, "the must-understand bits %04b are not known", data[0]&0x0f)
	}
	return nil
}

// Scan checks a message before anything decodes it: its format byte, that every
// declared length and count can be there, at most MaxDepth levels, at most
// maxElements elements, no extension types, arrays at the top. It allocates
// nothing unless it fails; the error is an *Error.
func Scan(msg []byte, maxElements int) error {
	if err := checkFormat(msg); err != nil {
		return err
	}
	// left[d] is how many elements are still to come at depth d.
	var left [MaxDepth + 1]int
	depth, elements := 0, 0
	for pos := 1; pos < len(msg) || depth > 0; {
		t, next, refusal := readToken(msg, pos)
		if refusal == "" && t.kind == tokenExtension {
			refusal = RefuseExtension
		}
		if refusal != "" {
			err := Errorf(CodeMalformed, "message, byte %d: %s", pos, refusalTexts[refusal])
			err.Refusal = refusal
			return err
		}
		if depth == 0 && t.kind != tokenArray {
			return Errorf(CodeMalformed, "message, byte %d: a frame is an array, this is %s", pos, t.kind)
		}
		if elements++; elements > maxElements {
			return Errorf(CodeTooLarge, "message: more than %d elements", maxElements)
		}
		pos = next
		if depth > 0 {
			left[depth]--
		}
		switch t.kind {
		case tokenString, tokenBytes:
			pos += t.size
		case tokenArray, tokenMap:
			if depth++; depth > MaxDepth {
				return Errorf(CodeMalformed, "message, byte %d: nested deeper than %d levels", pos, MaxDepth)
			}
			left[depth] = t.size
		}
		for depth > 0 && left[depth] == 0 {
			depth--
		}
	}
	return nil
}

// skip returns where the element at pos ends. It needs no stack, and so no bound
// on the depth.
func skip(data []byte, pos int) (end int, refusal Refusal) {
	for open := 1; open > 0; open-- {
		t, next, refusal := readToken(data, pos)
		if refusal != "" {
			return pos, refusal
		}
		pos = next
		switch t.kind {
		case tokenString, tokenBytes, tokenExtension:
			pos += t.size
		case tokenArray, tokenMap:
			// More children than bytes cannot be; this keeps the sum small too.
			if open += t.size; open > len(data) {
				return pos, RefuseTruncated
			}
		}
	}
	return pos, ""
}
