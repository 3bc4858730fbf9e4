package protocol

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

// Error is what a peer did wrong, or could not be given, in the form in which it
// is told.
type Error struct {
	Code    Code
	Message string
	// Field is the path of what the message is about, if it is about a part.
	Field string
}

// Error returns the code and the message.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }
