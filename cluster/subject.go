package cluster

// escape turns any string into one token of a NATS subject: letters, digits, "-"
// and "_" stand for themselves, any other byte becomes "=" and two hex digits.
// So nothing that means something in a subject (dots, wildcards, blanks, line
// ends) can come through, two strings never become one, and a person who watches
// the bus can read it.
func escape(s string) string {
	const hex = "0123456789abcdef"
	token := make([]byte, 0, len(s)+len(s)/4)
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			token = append(token, c)
		default:
			token = append(token, '=', hex[c>>4], hex[c&15])
		}
	}
	return string(token)
}
