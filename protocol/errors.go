package protocol

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Code says what went wrong, in a word that programs can compare.
type Code string

const (
	// Codes that end the connection, with their close codes.

	CodeMalformed  Code = "malformed"    // 4200: not a frame, or not one that belongs here
	CodeTooLarge   Code = "too-large"    // 4201: a message or value over its limit
	CodeUpgrade    Code = "upgrade"      // 4202: the peer speaks a newer format than we do, or an older one than we still do
	CodeOutOfOrder Code = "out-of-order" // 4203: a frame at the wrong time (no hello, hello twice, unknown handle, window ignored)
	CodeOrigin     Code = "origin"       // 4204: the page's origin is not allowed (as HTTP 403 before the handshake)
	CodeToken      Code = "token"        // 4101: token refused (malformed, wrong audience, issuer, signature)
	CodeExpired    Code = "expired"      // 4100: token expired: refresh it
	CodeHelloLate  Code = "hello-late"   // 4001: no hello within the limit
	CodeRate       Code = "rate"         // 4002: too many messages or connections
	CodeSilent     Code = "silent"       // 4003: no answer to pings
	CodeGoingAway  Code = "going-away"   // 4000: the server is stopping
	CodeInternal   Code = "internal"     // 4004: our fault; reconnect with backoff
	CodeSlow       Code = "slow"         // 4005: the socket took no bytes for too long

	// Codes about one subscription or mutation; the connection goes on.

	CodeForbidden      Code = "forbidden"          // the token does not allow the space, or not writing it
	CodeSpaceName      Code = "space-name"         // not a space's name
	CodeSubscriptions  Code = "subscriptions"      // too many on this connection
	CodeUnavailable    Code = "unavailable"        // the store cannot be reached now; keep the queue, it will be retried
	CodeDamaged        Code = "damaged"            // a log commit cannot be read: the space is read-only
	CodeDeviceBound    Code = "device-bound"       // the device id belongs to another user: take a new one
	CodeUnknownOutcome Code = "unknown-outcome"    // the device's entry was forgotten behind the horizon
	CodeBase           Code = "base"               // a base beyond head, or one that went back
	CodeSchemaOld      Code = "schema-old"         // the gateway's schema is older than the log's: it may not write here
	CodePresence       Code = "presence"           // a presence value over its limit, or too many
	CodeMutationLarge  Code = "mutation-too-large" // over the limit: nothing of the push was taken
)

// CloseCode is a WebSocket close code. Its range says what a client does:
// 4000–4099 reconnect with backoff, 4100–4199 refresh the token and reconnect,
// 4200–4299 stop and tell the user or the developer.
type CloseCode uint16

// CloseAction is what a client does after its connection was closed.
type CloseAction uint8

const (
	// Reconnect with backoff and full jitter.
	Reconnect CloseAction = iota
	// RefreshToken, then reconnect.
	RefreshToken
	// Stop, and tell the user or the developer: trying again would end the same way.
	Stop
)

// String returns the action in words.
func (a CloseAction) String() string {
	switch a {
	case RefreshToken:
		return "refresh the token"
	case Stop:
		return "stop"
	}
	return "reconnect"
}

// Action says what a client does after this close code. Codes outside Tidegate's
// ranges (1006 and its like) mean that the connection broke: reconnect.
func (c CloseCode) Action() CloseAction {
	switch {
	case c >= 4100 && c <= 4199:
		return RefreshToken
	case c >= 4200 && c <= 4299:
		return Stop
	}
	return Reconnect
}

// closeCodes are the codes that end a connection. The numbers are the wire's.
var closeCodes = map[Code]CloseCode{
	CodeGoingAway:  4000,
	CodeHelloLate:  4001,
	CodeRate:       4002,
	CodeSilent:     4003,
	CodeInternal:   4004,
	CodeSlow:       4005,
	CodeExpired:    4100,
	CodeToken:      4101,
	CodeMalformed:  4200,
	CodeTooLarge:   4201,
	CodeUpgrade:    4202,
	CodeOutOfOrder: 4203,
	CodeOrigin:     4204,
}

// Close returns the close code with which c ends a connection; false if c is
// about a subscription or a mutation, and the connection goes on.
func (c Code) Close() (CloseCode, bool) {
	code, ends := closeCodes[c]
	return code, ends
}

// Refusal names the rule of the value domain that a value breaks. The words are
// shared with clients in other languages, and with the test vectors.
type Refusal string

const (
	RefuseTruncated Refusal = "truncated"     // the bytes end inside the value
	RefuseTrailing  Refusal = "trailing"      // bytes follow the value
	RefuseInvalid   Refusal = "invalid"       // a byte that begins nothing in msgpack (0xc1)
	RefuseExtension Refusal = "extension"     // an extension type (timestamps included)
	RefuseDepth     Refusal = "depth"         // nested deeper than MaxValueDepth
	RefuseInfinite  Refusal = "infinite"      // a number that is infinite
	RefuseNaN       Refusal = "not-a-number"  // NaN
	RefuseRange     Refusal = "range"         // an integral number beyond ±2^53
	RefuseTiny      Refusal = "tiny"          // a number other than 0 with a magnitude below 1e-130
	RefuseUTF8      Refusal = "utf-8"         // a string that is not valid UTF-8
	RefuseKey       Refusal = "key"           // a map key that is not a string
	RefuseDuplicate Refusal = "duplicate-key" // a map key that stands twice
	RefuseType      Refusal = "type"          // a Go value that is none of the domain's kinds
)

// Error is what a peer did wrong, or could not be given, in the form in which it
// is told.
type Error struct {
	Code    Code
	Message string
	// Field is the path of what the message is about, if it is about a part.
	Field string
	// Refusal is set if a value outside the domain was met. It does not travel.
	Refusal Refusal
}

// Error returns the code and the message.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Errorf makes an Error; the message is cut at MaxMessageText bytes.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: clip(fmt.Sprintf(format, args...), MaxMessageText)}
}

// AsError returns the *Error in err's chain. An error of another kind becomes
// CodeInternal with a message that tells a peer nothing about our insides; nil
// stays nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	return &Error{Code: CodeInternal, Message: "something went wrong on the server"}
}

// clip shortens s to at most limit bytes without cutting a character.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	const mark = "…"
	cut := limit - len(mark)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + mark
}
