package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tidegate/tidegate/protocol"
)

// AnyAudience, as [Config.Audience], accepts tokens that were made for anything.
const AnyAudience = "*"

// Config says which tokens count. Exactly one of Secret and KeySet is set.
type Config struct {
	// Secret verifies HS256 tokens; see [LoadSecret].
	Secret Secret
	// KeySet is a JWK set: an https URL (http for this machine alone, see
	// AllowHTTP) or the path of a file. It is read again every ten minutes and
	// when a token names an unknown key.
	KeySet string
	// AllowHTTP allows a KeySet by plain http from another machine.
	AllowHTTP bool
	// Audience is what a token's "aud" must contain. With a Secret it is
	// [DefaultAudience] if empty: the secret is Tidegate's own, but a backend may
	// use it for other tokens as well. With a KeySet it must be given: a provider
	// makes tokens for many apps, and any of them would be taken for one of ours.
	// [AnyAudience] turns the check off.
	Audience string
	// Issuer is what "iss" must be; any if empty.
	Issuer string
	// Clock is time.Now if nil.
	Clock func() time.Time
	// HTTP fetches the KeySet; http.DefaultClient if nil.
	HTTP *http.Client
}

// Verifier turns tokens into grants.
type Verifier struct {
	// All static after New.
	secret      Secret
	keys        *keySet // nil with a secret
	parser      *jwt.Parser
	audience    string
	issuer      string
	clock       func() time.Time
	development bool
}

// New makes a verifier, or says what is wrong with the configuration. A KeySet
// by URL that cannot be fetched now is not an error: see [Verifier.Ready].
func New(c Config) (*Verifier, error) {
	v := &Verifier{secret: c.Secret, audience: c.Audience, issuer: c.Issuer, clock: c.Clock}
	if v.clock == nil {
		v.clock = time.Now
	}
	hasSecret := len(c.Secret.key()) > 0
	switch {
	case hasSecret && c.KeySet != "":
		return nil, errors.New("both a secret and a JWK set are given: choose one")
	case hasSecret:
		if v.audience == "" {
			v.audience = DefaultAudience
		}
		v.parser = newParser(secretAlgorithms)
		return v, nil
	case c.KeySet == "":
		return nil, errors.New("neither a secret nor a JWK set is given to verify tokens with")
	case c.Audience == "":
		return nil, fmt.Errorf("a JWK set needs an audience: tokens that the provider made for other apps would be accepted; give %q to accept them", AnyAudience)
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	keys, err := newKeySet(c.KeySet, client, c.AllowHTTP, v.clock)
	if err != nil {
		return nil, err
	}
	v.keys = keys
	v.parser = newParser(keySetAlgorithms)
	return v, nil
}

// NewDevelopment makes a verifier that accepts tokens signed with secret, and an
// empty token as [DevelopmentUser]. It must not be reachable from other
// machines: see [RefuseOpenListen].
func NewDevelopment(secret Secret, clock func() time.Time) (*Verifier, error) {
	v, err := New(Config{Secret: secret, Clock: clock})
	if err != nil {
		return nil, err
	}
	v.development = true
	return v, nil
}

// DevelopmentUser is who connects without a token in development mode.
const DevelopmentUser = "dev"

// Development reports whether an empty token is accepted.
func (v *Verifier) Development() bool { return v.development }

// DevelopmentToken returns a token that lets user write in every space of the
// default tenant for an hour: no more than anybody may without one, but under a
// name. It returns an error if the verifier is not for development, or for a
// name that no user can have.
func (v *Verifier) DevelopmentToken(user string) (string, error) {
	if !v.development {
		return "", errors.New("tokens are given away in development mode only")
	}
	return Mint(v.secret, MintOptions{User: user, Spaces: []SpaceGrant{{Pattern: "*", Write: true}}, Now: v.clock()})
}

// Ready says why no token can be verified at the moment, or nil.
func (v *Verifier) Ready() error {
	if v.keys == nil {
		return nil
	}
	return v.keys.ready()
}

// Verify returns what token allows. Its error is a *protocol.Error with
// CodeToken, CodeExpired or CodeInternal. It may wait for keys to be fetched, for
// four seconds at most.
func (v *Verifier) Verify(ctx context.Context, token string) (*Grant, error) {
	if token == "" && v.development {
		return NewGrant(DefaultTenant, DevelopmentUser, 0, SpaceGrant{Pattern: "*", Write: true})
	}
	if token == "" {
		return nil, refusal(protocol.CodeToken, "a token is needed, and none was given")
	}
	if len(token) > protocol.MaxTokenBytes {
		return nil, refusal(protocol.CodeToken, "the token is %d bytes long, at most %d are allowed", len(token), protocol.MaxTokenBytes)
	}
	payload := new(payload)
	parsed, err := v.parser.ParseWithClaims(token, payload, func(t *jwt.Token) (any, error) { return v.key(ctx, t) })
	if err != nil {
		return nil, v.explain(parsed, err)
	}
	registered, err := payload.all.registered()
	if err != nil {
		return nil, refusal(protocol.CodeToken, "%v", err)
	}
	if err := v.validate(registered, v.clock()); err != nil {
		return nil, err
	}
	grant, err := payload.all.grant(registered)
	if err != nil {
		return nil, refusal(protocol.CodeToken, "%v", err)
	}
	return grant, nil
}

// key returns the key to verify t with. The parser has checked that t's
// algorithm is one of those it was made for.
func (v *Verifier) key(ctx context.Context, t *jwt.Token) (any, error) {
	if _, ok := t.Header["crit"]; ok { // RFC 7515, 4.1.11
		return nil, refusal(protocol.CodeToken, "the token has critical header parameters (\"crit\"), and none is known")
	}
	if v.keys == nil {
		return v.secret.key(), nil
	}
	return v.keys.key(ctx, t)
}

// explain says in our words why the parser refused a token. The parser's own
// words may quote the token.
func (v *Verifier) explain(t *jwt.Token, err error) *protocol.Error {
	var told *protocol.Error
	if errors.As(err, &told) {
		return told
	}
	if t == nil || errors.Is(err, jwt.ErrTokenMalformed) {
		return refusal(protocol.CodeToken, "the token is malformed: it is not a signed JWT")
	}
	allowed := keySetAlgorithms
	if v.keys == nil {
		allowed = secretAlgorithms
	}
	if algorithm, _ := t.Header["alg"].(string); !slices.Contains(allowed, algorithm) {
		return refusal(protocol.CodeToken, "the token is signed with algorithm %s, allowed are %s", quote(algorithm), strings.Join(allowed, ", "))
	}
	return refusal(protocol.CodeToken, "the token's signature does not fit: it was made with another key, or changed on its way")
}

// newParser makes a parser that verifies signatures alone: claims are validated
// by us, for the words of the errors and for an expiry without leeway.
func newParser(algorithms []string) *jwt.Parser {
	return jwt.NewParser(jwt.WithValidMethods(algorithms), jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding())
}

// payload is a token's second part as the parser sees it: it decodes no claim
// before the signature is verified.
type payload struct {
	all        claims
	jwt.Claims // nil: the parser validates nothing
}

// UnmarshalJSON takes the claims apart by name.
func (p *payload) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &p.all) }
