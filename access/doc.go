// Package access decides who may do what. A [Verifier] turns the token of a
// connection's first frame into a [Grant]; [Grant.Check] is the one place that
// every delivery and every write passes.
//
// # Tokens
//
// A token is a JWT (RFC 7519), signed either with HS256 and a secret that the
// operator shares with the app's backend, or by an identity provider whose
// public keys stand in a JWK set. Which algorithms count is fixed by the kind of
// key, never by the token: HS256 alone with a secret; RS256/384/512,
// PS256/384/512, ES256/384 and EdDSA with a JWK set. The claims:
//
//	exp     required   when the token ends
//	sub     required   the user
//	aud     required   who the token is for (see [Config.Audience])
//	iss     if pinned  who made it (see [Config.Issuer])
//	tenant  optional   the isolation boundary; "default" if absent
//	spaces  required   an object: pattern → "read" or "write"
//
// "write" includes reading. A pattern is a space's name, or a prefix of names
// followed by "*". If several patterns match, the most specific one decides: the
// exact name, else the longest prefix. So {"*": "write", "audit": "read"} makes
// one space read-only.
//
// # Errors
//
// A refused token is a [*protocol.Error]: CodeExpired if a fresh token is all
// that is needed, CodeToken if something else is wrong with it, CodeInternal if
// the keys could not be had, which is no fault of the token's. What a message
// quotes of a token (audience, issuer) was signed; of an unsigned token it
// quotes nothing but the names of its algorithm and key.
//
// # Development mode
//
// [NewDevelopment] makes a verifier that also takes an empty token, as the user
// "dev" who may write every space. [RefuseOpenListen] and [CheckLocalHost] keep
// that to this machine.
//
// # Concurrency
//
// All types are safe for concurrent use. A Verifier with a JWK set by URL
// fetches it again in a short-lived goroutine of its own when it has grown old;
// nothing needs to be closed.
package access
